"""`recognizer evaluate WORD`: measures accuracy, in another process."""

from collections.abc import Sequence

from recognizer.commands.options import Subcommand, run_subcommand
from recognizer.commands.other_process import forward_to

MEASURED = {
    "mnist": ("", "the 10,000 test digits of MNIST"),
    "photos": ("DIR", "photographs in folders named by label, detected and classified end to end"),
    "rejection": ("", "pictures without a digit: in how many a label is given by mistake"),
    "sources": ("--task letters|rps", "hand signs of held-out people (leave one person out)"),
    "streams": ("--task letters|rps", "signs that held-out people show one after the other"),
    "clip": ("FILE --shows A:0-89,…", "a video as a stream, frame by frame"),
    "mirrored": ("DIR", "photographs and their mirror images"),
    "rooms": ("", "rendered numbers on sheets that people hold in rooms"),
    "pages": ("", "rendered numbers on pages: underlined, framed, large"),
    "kinds": ("", "compare the inputs of hand sign models: pose, pixels, fused"),
}
SUBCOMMANDS = {
    name: Subcommand(arguments, help, forward_to("training", "evaluate", name))
    for name, (arguments, help) in MEASURED.items()
}


def run(args: Sequence[str]) -> int:
    return run_subcommand("evaluate", "Measure accuracy.", SUBCOMMANDS, "photos DIR --task digits", args)
