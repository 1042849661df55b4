"""`recognizer evaluate WORD`: measures what is read right, in another process."""

from collections.abc import Sequence

from recognizer.commands.options import Word, run_word
from recognizer.commands.other_process import handed_to

MEASURED = {
    "mnist": ("", "the 10,000 test digits of MNIST"),
    "photos": ("DIR", "photographs in folders named by label, found and read end to end"),
    "rejection": ("", "pictures without a digit: in how many something gets a label"),
    "sources": ("--task letters|rps", "hand signs of people left out of the training in turn"),
    "clip": ("FILE --shows A:0-89,…", "a video as a stream, frame by frame"),
    "mirrored": ("DIR", "photographs and their mirror images"),
    "rooms": ("", "drawn numbers on sheets that people hold in rooms"),
    "pages": ("", "drawn numbers on pages: underlined, framed, large"),
    "kinds": ("", "the kinds of networks for hand signs side by side"),
}
WORDS = {name: Word(takes, help, handed_to("training", "evaluate", name)) for name, (takes, help) in MEASURED.items()}


def run(words: Sequence[str]) -> int:
    return run_word("evaluate", "Measure what is read right.", WORDS, "photos DIR --task digits", words)
