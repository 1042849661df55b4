"""`shapes`: writes how the shipped signs are made, which practice draws and compares."""

from collections.abc import Sequence

from recognizer.system import paths
from training.commands.command_line import Parser
from training.shipped.sign_shapes import write_shapes

PROGRAM = "python -m training shapes"


def run(words: Sequence[str]) -> None:
    """Run the command; `words` are its arguments, beginning with "shapes"."""
    parser = Parser(
        PROGRAM, f"Write the mean shape of each shipped sign, from photos/letters and photos/rps.\n\n{PROGRAM}"
    )
    parser.add_runs("folder of the detected hands")
    options = vars(parser.parse_args(words[1:]))
    write_shapes(options.get("runs") or paths.runs())
