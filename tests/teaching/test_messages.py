"""The result of a training run in the words of the person at the camera."""

import re
from typing import Any

import pytest

from recognizer.teaching.messages import in_plain_words, report_of
from recognizer.teaching.recording import missing_samples

TECHNICAL = re.compile(r"held.out|python|--|[/\\]\w|\d\.\d|%|publish|accuracy", re.IGNORECASE)


def result(published: str | None, before: float | None = None, **right: tuple[int, int]) -> dict[str, Any]:
    """What a training run reports: for each label how many were read right, and of how many."""
    return {
        "published": published,
        "before": {"accuracy": before, "known": None},
        "after": {"accuracy": 0.5, "known": None},
        "per_label": {label: {"of": of, "before": 0, "after": count} for label, (count, of) in right.items()},
        "confused": [("palm", "fist", 4)] if any(count < of for count, of in right.values()) else [],
        "why": "28.57 % of held-out samples are recognized: no better than guessing",
    }


@pytest.mark.parametrize(
    ("reported", "title", "advice", "is_good"),
    [
        (result("v1", fist=(4, 4), palm=(3, 3)), "Learned: 7 of 7 checked samples are right", "Show it", True),
        (result("v1", fist=(11, 11), palm=(1, 3)), "palm is hardly recognized: 1 of 3 right", "(k)", False),
        (
            result(None, fist=(2, 6), palm=(1, 5)),
            "fist and palm look alike in your pictures: 3 of 11 right",
            "Look at them (k) · record again (c)",
            False,
        ),
        (
            result(None, 1.0, fist=(3, 4), palm=(4, 4)),
            "No better than before: 7 of 8 right, and 8 of 8",
            "stays",
            False,
        ),
        (result("v1"), "Learned. signs is too new to be checked", "Record more (c)", True),
        (result(None), "There are too few samples to check it", "Record at least four", False),
        ({"error": "The disk is full. Run: python -m recognizer doctor"}, "The disk is full.", "Nothing", False),
    ],
)
def test_a_result_says_what_it_is_and_what_to_do(
    reported: dict[str, Any], title: str, advice: str, is_good: bool
) -> None:
    report = report_of("signs", reported)
    assert report.title.startswith(title)
    assert advice in report.advice
    assert report.is_good == is_good
    for words in (report.title, report.advice, *(words for _, words, _ in report.rows)):
        assert not TECHNICAL.search(words), words


def test_a_model_that_forgets_is_refused_with_the_reason() -> None:
    reported = result(None, fist=(4, 4))
    reported["before"]["known"], reported["after"]["known"] = 0.98, 0.6
    assert report_of("digits", reported).title == "It would forget what it knew before, so the model stays as it was"


def test_the_label_that_is_read_worse_than_by_chance_is_marked() -> None:
    rows = report_of("signs", result("v1", fist=(11, 11), palm=(1, 3))).rows
    assert rows == (("fist", "11 of 11", False), ("palm", "1 of 3", True))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            "No task x in /tmp/a. There is no task yet. Create it: python -m recognizer tasks new",
            "There is no task yet.",
        ),
        ("Nothing was stored in C:\\captures: 3 MB are free. Free some space.", "Free some space."),
        ("/tmp/x cannot be read: no.", "That did not work"),
    ],
)
def test_errors_in_the_window_name_no_path_and_no_command(error: str, words: str) -> None:
    assert in_plain_words(error) == words


def test_what_is_missing_before_a_training() -> None:
    assert missing_samples({"fist": 0}) == "no samples yet"
    assert missing_samples({"fist": 4, "palm": 4, "open": 0}) == ""
    assert missing_samples({"fist": 9, "palm": 3}) == "palm needs 1 more"
    assert missing_samples({"fist": 9}) == "all samples show fist: record another label to tell it from"
    assert missing_samples({"7": 4}, known="0123456789") == ""
    assert missing_samples({"7": 1}, known="0123456789") == "7 needs 3 more"
