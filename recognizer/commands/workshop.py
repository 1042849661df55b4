"""`recognizer workshop WORD`: other networks on other data, in another process."""

from collections.abc import Sequence

from recognizer.commands.options import Word, run_word
from recognizer.commands.other_process import handed_to

STEPS = {
    "look": ("--data D", "draw what a data set holds"),
    "train": ("--data D --network N", "train one network on one data set, into a folder of runs/"),
    "report": ("RUN…", "write what a run learned and where it is wrong"),
    "compare": ("RUN…", "put runs beside each other"),
    "publish": ("RUN", "make a run the model of a task"),
    "table": ("", "train every network on every data set, and write the table"),
    "sweep": ("--task T --space FILE", "search the best settings of a training"),
}
WORDS = {name: Word(takes, help, handed_to("training", name)) for name, (takes, help) in STEPS.items()}


def run(words: Sequence[str]) -> int:
    description = "Train other networks on other data, compare them, and publish one."
    return run_word("workshop", description, WORDS, "train --data mnist --network cnn", words)
