"""`movements embedding|letters`: fits the embedding of movements, and the shipped J and Z."""

from collections.abc import Sequence

from recognizer.registry.synced import default_models
from training.commands.command_line import CommandHelp, TrainingParser, choose_command
from training.movements.embedding import CLASSES, train_embedding
from training.movements.letters import train_letters

PROGRAM = "python -m training movements"
ABOUT = """Fit what reads signs that move: the embedding, from drawn movements, and then the shipped J and Z.

The embedding is the same for all tasks: a model of another version of it has to be trained again."""
WORDS = {
    "embedding": CommandHelp("draw random movements and fit the embedding of all movements on them", "embedding"),
    "letters": CommandHelp("fit J and Z and publish them with the current version of letters", "letters"),
}


def run(words: Sequence[str]) -> None:
    """Run the command; `words` are its arguments, beginning with "movements"."""
    what = choose_command(PROGRAM, ABOUT, words[1:], WORDS)
    if what is None:
        return
    parser = TrainingParser(f"{PROGRAM} {what}", f"{WORDS[what].help}\n\n{PROGRAM} {WORDS[what].example}")
    if what == "embedding":
        parser.add_argument("--classes", type=int, default=CLASSES, metavar="N", help=f"movements (default: {CLASSES})")
        train_embedding(classes=parser.parse_args(words[2:]).classes)
    else:
        parser.add_models()
        options = vars(parser.parse_args(words[2:]))
        train_letters(options.get("models") or default_models(), f"{PROGRAM} {what}")
