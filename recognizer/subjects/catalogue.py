"""The subjects that there are."""

from recognizer.errors import SubjectError
from recognizer.subjects.box import BOX
from recognizer.subjects.hands import HAND
from recognizer.subjects.paper import PAPER
from recognizer.subjects.subject import Subject

SUBJECTS: dict[str, Subject] = {subject.name: subject for subject in (HAND, PAPER, BOX)}  # by their names


def subject_of(name: str | None) -> Subject:
    """The subject of that name. Raises SubjectError that lists those that there are."""
    if name not in SUBJECTS:
        raise SubjectError(f"{name!r} is no subject. Choose one of {', '.join(SUBJECTS)}.")
    return SUBJECTS[name]
