"""The workshop's commands: from a data set to a published network, and the table of all runs.

`python -m recognizer workshop` calls them too.
"""

from collections.abc import Callable, Sequence

from recognizer.commands.options import given_path, seed
from recognizer.registry.synced import default_models, open_models
from recognizer.samples.synced import default_samples
from recognizer.subjects.hands import HAND
from recognizer.system import paths
from recognizer.system.terminal import exit_on_error
from training.commands.command_line import TrainingParser
from training.datasets import catalogue
from training.datasets.augment import LEVELS
from training.networks.image_networks import WORKSHOP
from training.networks.tensorflow import configure_tensorflow
from training.settings import (
    BACKENDS,
    GREY_SUBJECTS,
    JOINT_INPUTS,
    NETWORKS,
    SIGNS,
    TABLE_DATA,
    SweepSettings,
    TableSettings,
    TrainSettings,
)
from training.workshop import compare, look, publish, report, sweep, table_runs, train

PROGRAM = "python -m recognizer workshop"
DATA = f"{', '.join(catalogue.NAMES)}, a folder of label/picture, or a CSV"


def run(words: Sequence[str]) -> None:
    """Run the command; `words` are its arguments, beginning with one of COMMANDS."""
    COMMANDS[words[0]](words[1:])


def run_look(words: Sequence[str]) -> None:
    parser = TrainingParser(
        f"{PROGRAM} look",
        f"Summarize a data set before training on it: samples, counts, mean images.\n\n{PROGRAM} look --data mnist",
    )
    parser.add_argument("--data", required=True, help=DATA)
    parser.add_argument(
        "--subject",
        default=HAND.name,
        choices=GREY_SUBJECTS,
        help="what a folder's pictures show, which decides how they are cropped",
    )
    parser.add_argument("--runs", type=given_path, default=paths.runs(), metavar="DIR", help="folder for the figure")
    options = parser.parse_args(words)
    data = catalogue.load(options.data, default_samples(), None, options.subject)
    look.print_counts(data)
    path = options.runs / "look" / f"{data.name}.png"
    look.draw_look(data, path)
    print(f"Wrote {path}")


def run_train(words: Sequence[str]) -> None:
    settings = TrainSettings(**vars(_train_parser().parse_args(words)))
    train.choose_backend(settings.backend)
    print(f"Wrote {train.train(settings, default_samples()) / 'index.html'}")


def _train_parser() -> TrainingParser:
    parser = TrainingParser(
        f"{PROGRAM} train",
        "Train a network on a data set, test it, publish it and write a report.\n\n"
        f"{PROGRAM} train --data mnist --network cnn",
    )
    parser.add_argument("--data", required=True, help=DATA)
    parser.add_argument("--network", required=True, choices=NETWORKS)
    parser.add_argument("--backend", choices=BACKENDS, help="Keras backend (default: tensorflow)")
    parser.add_argument("--epochs", type=int, help="maximum number (default: the network's own)")
    parser.add_argument("--batch-size", type=int, help="pictures per step (default: 128)")
    parser.add_argument("--rate", type=float, help="learning rate (default: the optimizer's own)")
    parser.add_argument("--width", type=float, metavar="TIMES", help="factor on the width of hidden layers")
    parser.add_argument(
        "--keep", type=float, metavar="SHARE", help="coverage: share of the held-out pictures that get a label"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="train on N pictures and test on N (a quick try)")
    parser.add_argument("--augment", choices=[*LEVELS], help="augmentation level (default: the network's)")
    parser.add_seed()
    parser.add_argument(
        "--subject", choices=GREY_SUBJECTS, help=f"what a folder's pictures show (default: {HAND.name})"
    )
    parser.add_argument("--backbone", help="for vgg16: another network of keras.applications (default: VGG16)")
    parser.add_argument("--weights", help="for vgg16: imagenet, or a file of weights (default: imagenet)")
    parser.add_argument(
        "--side", type=int, help="for vgg16: pixels that pictures are scaled to, 48 to 150 (default: 48)"
    )
    parser.add_argument(
        "--copies", type=int, metavar="N", help="for vgg16: augmented copies of each picture (default: by their number)"
    )
    parser.add_argument("--fine-tune", type=int, metavar="EPOCHS", help="for vgg16: epochs with block 5 unfrozen")
    parser.add_models()
    parser.add_runs("parent of the run's folder")
    return parser


def run_report(words: Sequence[str]) -> None:
    parser = TrainingParser(
        f"{PROGRAM} report",
        f"Draw the figures of runs, and a page that shows them.\n\n{PROGRAM} report runs/mnist-cnn-0",
    )
    parser.add_argument("runs", type=given_path, nargs="+", metavar="RUN")
    for folder in parser.parse_args(words).runs:
        report.write_report(folder, default_samples())
        print(f"Wrote {folder / 'index.html'}")


def run_compare(words: Sequence[str]) -> None:
    parser = TrainingParser(
        f"{PROGRAM} compare",
        f"Compare runs: accuracy, size, time.\n\n{PROGRAM} compare runs/mnist-cnn-0 runs/mnist-knn-0",
    )
    parser.add_argument("runs", type=given_path, nargs="+", metavar="RUN")
    parser.add_argument("--picture", type=given_path, default=paths.runs() / "compare.png", metavar="FILE")
    options = parser.parse_args(words)
    compare.compare(options.runs, options.picture)


def run_publish(words: Sequence[str]) -> None:
    parser = TrainingParser(
        f"{PROGRAM} publish",
        f"Make a finished run's network the current model of its task.\n\n{PROGRAM} publish runs/mnist-cnn-0",
    )
    parser.add_argument("run", type=given_path, metavar="RUN")
    parser.add_models()
    options = vars(parser.parse_args(words))
    publish.publish(options["run"], options.get("models") or default_models(), default_samples())


def run_table(words: Sequence[str]) -> None:
    parser = TrainingParser(
        f"{PROGRAM} table",
        "Train every network on every data set, and write training/RESULTS.md. Takes hours on two cores; finished runs are\n"
        "not repeated.\n\n"
        f"{PROGRAM} table\n"
        f"{PROGRAM} table --cluster HOST:PORT    on all machines of a Ray cluster\n"
        f"{PROGRAM} table --write                only write the table from finished runs",
    )
    parser.add_argument("--data", nargs="+", choices=TABLE_DATA, help="only these (default: all)")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, help="only these (default: all)")
    parser.add_argument("--seeds", "--seed", type=seed, nargs="+", help="one run per seed (default: 0)")
    parser.add_argument("--limit", type=int, metavar="N", help="train on N pictures each (to try the command out)")
    parser.add_argument("--epochs", type=int, help="at most, for every network (to try the command out)")
    parser.add_runs("parent of the runs' folders")
    parser.add_argument(
        "--models", type=open_models, metavar="DIR", help="folder or URL for the models (default: runs/models)"
    )
    parser.add_argument(
        "--results", type=given_path, metavar="FILE", help="file for the table (default: training/RESULTS.md)"
    )
    parser.add_argument("--write", action="store_true", help="only write the table")
    parser.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS",
        help="train on the Ray cluster whose head is at ADDRESS (without ADDRESS: the cluster on this machine, or its cores)",
    )  # fmt: skip
    parser.add_argument(
        "--cpus", type=int, metavar="N", help="with --cluster: cores of each run (default: all of the smallest machine)"
    )
    settings = TableSettings(**vars(parser.parse_args(words)))
    with exit_on_error("\nStopped. The same command continues from here."):
        table_runs.make_table(settings, default_samples())


def run_sweep(words: Sequence[str]) -> None:
    settings = SweepSettings(**vars(_sweep_parser().parse_args(words)))
    configure_tensorflow()
    with exit_on_error("\nStopped. The same command continues with the trials that are not done."):
        sweep.sweep(settings, default_samples())


def _sweep_parser() -> TrainingParser:
    parser = TrainingParser(
        f"{PROGRAM} sweep",
        f"{sweep.__doc__}\n{PROGRAM} sweep --task letters --kind pose --space space.toml\n"
        f"{PROGRAM} sweep --task mnist --network cnn --space space.json --trials 12 --cluster HOST:PORT",
    )
    parser.add_argument(
        "--task", required=True,
        help=f"{' or '.join(SIGNS)} (photographs of hands), digits (mnist), {', '.join(catalogue.NAMES[:-2])}, "
        "a task of your own, or a folder of series/label/picture",
    )  # fmt: skip
    parser.add_argument(
        "--space", required=True, type=given_path, metavar="FILE", help="search space: a TOML or JSON file"
    )
    parser.add_argument("--trials", type=int, metavar="N", help="maximum number (default: 16)")
    parser.add_argument("--network", choices=[*WORKSHOP], help="for a data set (default: cnn; for digits cnn-bn)")
    parser.add_argument(
        "--kind", choices=JOINT_INPUTS, help="input of the network, for letters and rps (default: pose)"
    )
    parser.add_argument("--epochs", type=int, help="maximum number, for a data set's network")
    parser.add_argument("--limit", type=int, metavar="N", help="train on N pictures (to try the command out)")
    parser.add_seed()
    parser.add_runs("parent of the sweep's folder")
    parser.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS",
        help="address of a Ray head (default: the cluster on this machine, or its cores)",
    )  # fmt: skip
    parser.add_argument(
        "--cpus", type=int, metavar="N", help="cores of each trial (default: all of the smallest machine)"
    )
    return parser


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "look": run_look,
    "train": run_train,
    "report": run_report,
    "compare": run_compare,
    "publish": run_publish,
    "table": run_table,
    "sweep": run_sweep,
}
