"""`recognizer workshop WORD`: other networks on other data, in another process."""

from collections.abc import Sequence

from recognizer.commands.options import Subcommand, run_subcommand
from recognizer.commands.other_process import forward_to

STEPS = {
    "look": ("--data D", "draw what a data set holds"),
    "train": ("--data D --network N", "train one network on one data set, into a folder of runs/"),
    "report": ("RUN…", "write what a run learned and where it is wrong"),
    "compare": ("RUN…", "put runs beside each other"),
    "publish": ("RUN", "make a run the model of a task"),
    "table": ("", "train every network on every data set, and write the table"),
    "sweep": ("--task T --space FILE", "search the best settings of a training"),
}
SUBCOMMANDS = {
    name: Subcommand(arguments, help, forward_to("training", name)) for name, (arguments, help) in STEPS.items()
}


def run(args: Sequence[str]) -> int:
    description = "Train other networks on other data, compare them, and publish one."
    return run_subcommand("workshop", description, SUBCOMMANDS, "train --data mnist --network cnn", args)
