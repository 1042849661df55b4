"""Fits, measures and publishes models."""

import importlib
import sys
from collections.abc import Sequence

from recognizer.system.terminal import escape_unencodable_output, exit_on_error
from training.commands.command_line import CommandHelp, choose_command

PROGRAM = "python -m training"
COMMANDS = {  # by word: the module in training/commands whose `run` it is, and what -h says
    "learn": ("learn", CommandHelp("a task's model, from its samples", "learn signs")),
    "shipped": ("shipped", CommandHelp("the models that ship: digits, letters, rps", "shipped digits")),
    "evaluate": ("evaluate", CommandHelp("how well a published model does", "evaluate mnist")),
    "look": ("workshop", CommandHelp("what a data set holds", "look --data mnist")),
    "train": (
        "workshop",
        CommandHelp("one network on one data set, and its report", "train --data mnist --network cnn"),
    ),
    "report": ("workshop", CommandHelp("draw the pictures of a run again", "report runs/mnist-cnn-0")),
    "compare": ("workshop", CommandHelp("runs side by side", "compare runs/mnist-cnn-0 runs/mnist-linear-0")),
    "publish": ("workshop", CommandHelp("make a run's network the current model", "publish runs/mnist-cnn-0")),
    "table": ("workshop", CommandHelp("every network on every data set", "table --data mnist")),
    "sweep": ("workshop", CommandHelp("search a training's numbers", "sweep --task mnist --space space.toml")),
    "finder": ("finder", CommandHelp("the networks that find writing", "finder draw")),
    "backbones": ("backbones", CommandHelp("make the network that objects are learned on", "backbones")),
}


def main(words: Sequence[str] | None = None) -> None:
    """Run one command; ends the program with 2 for an error, which is one line on stderr, and with 130 for Ctrl-C."""
    words = list(sys.argv[1:] if words is None else words)
    escape_unencodable_output()
    with exit_on_error():
        word = choose_command(PROGRAM, __doc__, words, {name: help for name, (_, help) in COMMANDS.items()})
        if word is not None:
            importlib.import_module(f"training.commands.{COMMANDS[word][0]}").run(words)


if __name__ == "__main__":
    main()
