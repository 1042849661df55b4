"""`recognizer evaluate WORD`: measures what is read right, in another process."""

from collections.abc import Sequence

from recognizer.commands.options import Subcommand, run_subcommand
from recognizer.commands.other_process import forward_to

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
SUBCOMMANDS = {
    name: Subcommand(arguments, help, forward_to("training", "evaluate", name))
    for name, (arguments, help) in MEASURED.items()
}


def run(args: Sequence[str]) -> int:
    return run_subcommand("evaluate", "Measure what is read right.", SUBCOMMANDS, "photos DIR --task digits", args)
