"""`recognizer train digits|letters|rps`: trains a shipped model anew, in another process."""

from collections.abc import Sequence

from recognizer.commands.options import Word, run_word
from recognizer.commands.other_process import handed_to

WORDS = {
    "digits": Word("", "handwritten digits, from MNIST and drawn scenes", handed_to("training", "shipped", "digits")),
    "letters": Word("", "signed letters, from photographs of hands", handed_to("training", "shipped", "letters")),
    "rps": Word("", "rock, paper, scissors, from photographs of hands", handed_to("training", "shipped", "rps")),
}


def run(words: Sequence[str]) -> int:
    description = "Train a shipped model anew, from the data sets that data/README.md names."
    return run_word("train", description, WORDS, "letters --kind fused", words)
