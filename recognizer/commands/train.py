"""`recognizer train digits|letters|rps`: retrains a shipped model, in another process."""

from collections.abc import Sequence

from recognizer.commands.options import Subcommand, run_subcommand
from recognizer.commands.other_process import forward_to

SUBCOMMANDS = {
    "digits": Subcommand(
        "", "handwritten digits, from MNIST and rendered scenes", forward_to("training", "shipped", "digits")
    ),
    "letters": Subcommand(
        "", "signed letters, from photographs of hands", forward_to("training", "shipped", "letters")
    ),
    "rps": Subcommand("", "rock, paper, scissors, from photographs of hands", forward_to("training", "shipped", "rps")),
}


def run(args: Sequence[str]) -> int:
    description = "Retrain a shipped model on the data sets that data/README.md lists."
    return run_subcommand("train", description, SUBCOMMANDS, "letters --kind fused", args)
