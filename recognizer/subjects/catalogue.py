"""All subjects by name."""

from recognizer.errors import SubjectError
from recognizer.subjects.box import BOX
from recognizer.subjects.hands import HAND
from recognizer.subjects.paper import PAPER
from recognizer.subjects.subject import Subject

SUBJECTS: dict[str, Subject] = {subject.name: subject for subject in (HAND, PAPER, BOX)}


def subject_of(name: str | None) -> Subject:
    """The subject of that name. Raises SubjectError, which lists the valid names, for any other."""
    if name not in SUBJECTS:
        raise SubjectError(f"There is no subject {name!r}. Choose one of {', '.join(SUBJECTS)}.")
    return SUBJECTS[name]
