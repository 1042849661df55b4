"""Trains, evaluates and publishes models."""

import importlib
import sys
from collections.abc import Sequence

from recognizer.system.terminal import escape_unencodable_output, exit_on_error
from training.commands.command_line import CommandHelp, choose_command

PROGRAM = "python -m training"
COMMANDS = {  # command: its module in training/commands, and its help
    "learn": ("learn", CommandHelp("train a task's model on its samples", "learn signs")),
    "shipped": ("shipped", CommandHelp("train a shipped model: digits, letters, rps", "shipped digits")),
    "evaluate": ("evaluate", CommandHelp("measure a published model", "evaluate mnist")),
    "look": ("workshop", CommandHelp("summarize a data set", "look --data mnist")),
    "train": (
        "workshop",
        CommandHelp("train one network on one data set and write a report", "train --data mnist --network cnn"),
    ),
    "report": ("workshop", CommandHelp("draw the figures of a run again", "report runs/mnist-cnn-0")),
    "compare": ("workshop", CommandHelp("compare runs", "compare runs/mnist-cnn-0 runs/mnist-linear-0")),
    "publish": ("workshop", CommandHelp("make a run's network the current model", "publish runs/mnist-cnn-0")),
    "table": ("workshop", CommandHelp("train every network on every data set", "table --data mnist")),
    "sweep": ("workshop", CommandHelp("search hyperparameters", "sweep --task mnist --space space.toml")),
    "finder": ("finder", CommandHelp("train the networks that find writing", "finder draw")),
    "int8": ("int8", CommandHelp("quantize a task's model for microcontrollers", "int8 signs --out int8")),
    "shapes": ("shapes", CommandHelp("write how the shipped signs are made, for practice", "shapes")),
    "movements": ("movements", CommandHelp("fit what reads signs that move", "movements letters")),
    "backbones": ("backbones", CommandHelp("prepare the feature extractor for objects", "backbones")),
}


def main(words: Sequence[str] | None = None) -> None:
    """Run one command. Exit code 2 after an error, which is one line on stderr, and 130 after Ctrl-C."""
    words = list(sys.argv[1:] if words is None else words)
    escape_unencodable_output()
    with exit_on_error():
        word = choose_command(PROGRAM, __doc__, words, {name: help for name, (_, help) in COMMANDS.items()})
        if word is not None:
            importlib.import_module(f"training.commands.{COMMANDS[word][0]}").run(words)


if __name__ == "__main__":
    main()
