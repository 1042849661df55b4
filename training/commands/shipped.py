"""`shipped digits|letters|rps`: trains a shipped model. `python -m recognizer train` calls it."""

from collections.abc import Sequence

from recognizer.commands.options import given_path
from training.commands.command_line import CommandHelp, TrainingParser, choose_command
from training.settings import SIGN_INPUTS, DigitsSettings, SignsSettings
from training.shipped.digits import train_digits
from training.shipped.signs import train_signs

PROGRAM = "python -m recognizer train"
ABOUT = "Train, calibrate, evaluate and publish a shipped model."
WORDS = {
    "digits": CommandHelp("handwritten digits, from MNIST and drawn rooms", "digits --epochs 30"),
    "letters": CommandHelp("letters of the finger alphabet, from photographs", "letters --kind fused"),
    "rps": CommandHelp("rock, paper, scissors, from photographs", "rps --kind fused"),
}


def run(words: Sequence[str]) -> None:
    """Run the command; `words` are its arguments, beginning with "shipped"."""
    task = choose_command(PROGRAM, ABOUT, words[1:], WORDS)
    if task == "digits":
        train_digits(DigitsSettings(**vars(_digits_parser().parse_args(words[2:]))))
    elif task is not None:
        train_signs(SignsSettings(task, **vars(_signs_parser(task).parse_args(words[2:]))))


def _digits_parser() -> TrainingParser:
    parser = TrainingParser(f"{PROGRAM} digits", f"{PROGRAM} digits --start models/digits/VERSION --epochs 5")
    parser.add_argument("--epochs", type=int, help="of all stages together (default: 30)")
    parser.add_argument("--scenes", type=int, metavar="N", help="crops from drawn paper scenes (default: 54000)")
    parser.add_argument(
        "--start",
        type=given_path,
        metavar="VERSION",
        help="fine-tune this version of digits with the later stages, and average the weights of both",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="use only N of MNIST's digits (a quick try)")
    parser.add_seed()
    parser.add_models()
    parser.add_runs("folder of drawn scenes and checkpoints")
    return parser


def _signs_parser(task: str) -> TrainingParser:
    parser = TrainingParser(f"{PROGRAM} {task}", f"{PROGRAM} {task} --kind fused")
    parser.add_argument(
        "--kind",
        choices=SIGN_INPUTS,
        help="only this input of the network (default: all, and the best becomes current)",
    )
    parser.add_argument("--rate", type=float, help="for joints: the highest learning rate")
    parser.add_argument("--width", type=float, metavar="TIMES", help="for joints: factor on the width of hidden layers")
    parser.add_argument(
        "--augment", type=float, metavar="SHARE", help="for joints: share of the hands that are augmented"
    )
    parser.add_argument(
        "--keep", type=float, metavar="SHARE", help="coverage: share of the right predictions that get a label"
    )
    parser.add_seed()
    parser.add_models()
    parser.add_runs("folder of detected hands and checkpoints")
    return parser
