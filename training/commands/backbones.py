"""`backbones`: makes the network that objects are learned on, so that the first training need not wait for it."""

import signal
from collections.abc import Sequence

from recognizer.registry.synced import default_models
from training.commands.command_line import Parser
from training.networks.backbones import backbone_file

PROGRAM = "python -m training backbones"


def run(words: Sequence[str]) -> None:
    """`words` begin with backbones."""
    parser = Parser(
        PROGRAM,
        f"Make the network that objects are learned on, once, and print where it is.\n\n{PROGRAM} --backbone VGG16",
    )
    parser.add_argument(
        "--backbone", default=None, metavar="NAME", help="of keras.applications (default: VGG16, or what is at hand)"
    )
    parser.add_models()
    options = vars(parser.parse_args(words[1:]))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the window closes: nothing half-written stays
    models = options.get("models") or default_models()
    print(backbone_file(options["backbone"], models, lambda line: print(f"{line} …", flush=True))[1])
