"""`recognizer train digits|letters|rps`: trains a shipped model anew, in another process."""

from collections.abc import Sequence

from recognizer.commands.options import Subcommand, run_subcommand
from recognizer.commands.other_process import forward_to

SUBCOMMANDS = {
    "digits": Subcommand(
        "", "handwritten digits, from MNIST and drawn scenes", forward_to("training", "shipped", "digits")
    ),
    "letters": Subcommand(
        "", "signed letters, from photographs of hands", forward_to("training", "shipped", "letters")
    ),
    "rps": Subcommand("", "rock, paper, scissors, from photographs of hands", forward_to("training", "shipped", "rps")),
}


def run(args: Sequence[str]) -> int:
    description = "Train a shipped model anew, from the data sets that data/README.md names."
    return run_subcommand("train", description, SUBCOMMANDS, "letters --kind fused", args)
