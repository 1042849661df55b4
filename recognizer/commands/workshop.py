"""`recognizer workshop WORD`: trains other networks on other data sets, in another process."""

from collections.abc import Sequence

from recognizer.commands.options import Subcommand, run_subcommand
from recognizer.commands.other_process import forward_to

STEPS = {
    "look": ("--data D", "draw examples of a data set"),
    "train": ("--data D --network N", "train one network on one data set; the result is a folder in runs/"),
    "report": ("RUN…", "write a report of a run: metrics and mistakes"),
    "compare": ("RUN…", "compare runs"),
    "publish": ("RUN", "publish a run as the model of a task"),
    "table": ("", "train every network on every data set, and write a table of results"),
    "sweep": ("--task T --space FILE", "search the best hyperparameters"),
}
SUBCOMMANDS = {
    name: Subcommand(arguments, help, forward_to("training", name)) for name, (arguments, help) in STEPS.items()
}


def run(args: Sequence[str]) -> int:
    description = "Train other networks on other data sets, compare them, and publish one."
    return run_subcommand("workshop", description, SUBCOMMANDS, "train --data mnist --network cnn", args)
