"""What a training run has led to, in the words of the person at the camera."""

import re
from dataclasses import dataclass
from typing import Any

STAGES = {
    "starting": "getting ready",
    "reading samples": "looking at your samples",
    "computing features": "learning",
    "fitting the head": "learning",
    "publishing": "checking and saving",
    "done": "done",
}


@dataclass(frozen=True)
class Report:
    """The first line, what to do next, and the labels with how many samples of each were read right."""

    title: str
    advice: str
    is_good: bool
    rows: tuple[tuple[str, str, bool], ...] = ()  # label, "3 of 4", and whether it is read worse than by chance


def report_of(task: str, result: dict[str, Any]) -> Report:
    """The report on the result of a training run, as `learn --json` prints it, or as TrainingProcess adds an error."""
    if "error" in result:
        return Report(in_plain_words(str(result["error"])), "Nothing has changed. Try again (t).", False)
    per_label = {label: (counts["after"], counts["of"]) for label, counts in result.get("per_label", {}).items()}
    chance = 1 / max(2, len(per_label))
    bad = [label for label, (right, of) in per_label.items() if of and right / of < chance]
    rows = tuple((label, f"{right} of {of}", label in bad) for label, (right, of) in per_label.items())
    right, of = sum(one for one, _ in per_label.values()), sum(of for _, of in per_label.values())
    if result.get("published"):
        if bad:
            worst = min(bad, key=lambda label: per_label[label][0] / per_label[label][1])
            title = f"{worst} is hardly recognized: {per_label[worst][0]} of {per_label[worst][1]} right"
            return Report(title, "Look at its samples (k) · record more (c) · go back (u)", False, rows)
        if not of:
            return Report(f"Learned. {task} is too new to be checked", "Record more (c), then train again.", True)
        return Report(f"Learned: {right} of {of} checked samples are right", "Show it to the camera.", True, rows)
    return Report(*_refusal(result, right, of), False, rows)


def _refusal(result: dict[str, Any], right: int, of: int) -> tuple[str, str]:
    """Why the model is not used, and what to do."""
    before, known = result.get("before", {}), result.get("after", {}).get("known")
    known_before, was = before.get("known"), before.get("accuracy")
    confused = result.get("confused", [])
    next_step = "Look at them (k) · record again (c)"
    if known is not None and known_before is not None and known < known_before:
        return "It would forget what it knew before, so the model stays as it was", "Record more samples (c)"
    if was is not None and of and was >= right / of:
        kept = f"No better than before: {right} of {of} right, and {round(was * of)} of {of} before"
        return kept, f"The model stays as it was. {next_step}" if confused else "The model stays as it was."
    if confused:
        predicted, actual, *_ = confused[0]
        return f"{actual} and {predicted} look alike in your pictures: {right} of {of} right", next_step
    if not of:
        return "There are too few samples to check it", "Record at least four of each label (c)"
    return f"Too little is recognized: {right} of {of} right", next_step


def stage_in_words(stage: str) -> str:
    """A stage of the training run; what is not in STAGES is said as it is."""
    return STAGES.get(stage, stage)


def in_plain_words(error: str) -> str:
    """An error without the sentences that name a command, an option or a file."""
    sentences = re.split(r"(?<=[.!?])\s+", error)
    plain = [one for one in sentences if not re.search(r"python3? -m|\s--\w|(?:^|\s)\S*[/\\]\S*", one)]
    return " ".join(plain) or "That did not work"
