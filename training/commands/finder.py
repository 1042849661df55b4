"""`finder draw|propose|fit`: trains the networks that find writing."""

import os
from collections.abc import Sequence

from recognizer.commands.options import given_path
from recognizer.system import paths
from training.commands.command_line import CommandHelp, TrainingParser, choose_command
from training.finders.fitting import NETWORK_FITS, draw, draw_shard, fit, propose_shard

PROGRAM = "python -m training finder"
ABOUT = """Train the networks that find writing, on drawn rooms: draw, fit characters, fit ink, propose, fit verifier.

A drawing that was interrupted continues. A fit continues from the weights that --start names, such as those of its last
epoch. The networks are written into recognizer/finders/networks, with a card."""
WORDS = {
    "draw": CommandHelp("draw scenes and crop training examples from them", "draw --scenes 12000"),
    "propose": CommandHelp(
        "draw scenes and collect what the trained networks propose in them", "propose --scenes 6000"
    ),
    "fit": CommandHelp(f"train one of the networks: {', '.join(NETWORK_FITS)}", "fit characters"),
}
SCENES = 12000


def run(words: Sequence[str]) -> None:
    """Run the command; `words` are its arguments, beginning with "finder"."""
    what = choose_command(PROGRAM, ABOUT, words[1:], WORDS)
    if what is None:
        return
    parser = TrainingParser(f"{PROGRAM} {what}", f"{WORDS[what].help}\n\n{PROGRAM} {WORDS[what].example}")
    parser.add_argument(
        "--folder",
        type=given_path,
        default=paths.runs() / "finder",
        metavar="DIR",
        help="folder of the training examples",
    )
    if what == "fit":
        parser.add_argument("network", choices=list(NETWORK_FITS))
        parser.add_argument("--epochs", type=int, default=None, help="(default: the network's own)")
        parser.add_argument(
            "--start", type=given_path, default=None, metavar="WEIGHTS", help="continue from these weights"
        )
        options = parser.parse_args(words[2:])
        fit(options.network, options.folder, options.epochs, options.start)
    else:
        parser.add_argument("--scenes", type=int, default=SCENES, metavar="N", help=f"(default: {SCENES})")
        options = parser.parse_args(words[2:])
        examples = draw_shard if what == "draw" else propose_shard
        draw(options.folder, options.scenes, os.cpu_count() or 1, examples)
