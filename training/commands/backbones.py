"""`backbones`: prepares the feature extractor for objects, so that the first training need not wait for it."""

import signal
from collections.abc import Sequence

from recognizer.registry.synced import default_models
from training.commands.command_line import Parser
from training.networks.backbones import backbone_file

PROGRAM = "python -m training backbones"


def run(words: Sequence[str]) -> None:
    """Run the command; `words` are its arguments, beginning with "backbones"."""
    parser = Parser(
        PROGRAM,
        f"Prepare the feature extractor for objects, once, and print its path.\n\n{PROGRAM} --backbone VGG16",
    )
    parser.add_argument(
        "--backbone",
        default=None,
        metavar="NAME",
        help="a network of keras.applications (default: VGG16, or one whose weights are here)",
    )
    parser.add_models()
    options = vars(parser.parse_args(words[1:]))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # when the window closes it, no half-written file stays
    models = options.get("models") or default_models()
    print(backbone_file(options["backbone"], models, lambda line: print(f"{line} …", flush=True))[1])
