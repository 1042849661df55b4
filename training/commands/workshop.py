"""The words of the workshop: from a data set to a published network, and the table of all of them.

`python -m recognizer workshop` calls them, too.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from recognizer.registry.synced import default_models, open_models
from recognizer.samples.synced import default_samples
from recognizer.subjects.hands import HAND
from recognizer.system import paths
from recognizer.system.terminal import exit_on_error
from training.commands.command_line import Parser
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
    """`words` begin with one of COMMANDS."""
    COMMANDS[words[0]](words[1:])


def run_look(words: Sequence[str]) -> None:
    parser = Parser(
        f"{PROGRAM} look",
        "What a data set holds, before anything is trained on it: samples, counts, mean images.\n\n"
        f"{PROGRAM} look --data mnist",
    )
    parser.add_argument("--data", required=True, help=DATA)
    parser.add_argument(
        "--subject", default=HAND.name, choices=GREY_SUBJECTS, help="how a folder's pictures are framed"
    )
    parser.add_argument("--runs", type=Path, default=paths.runs(), metavar="DIR", help="where the picture goes")
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


def _train_parser() -> Parser:
    parser = Parser(
        f"{PROGRAM} train",
        "Fit a network on a data set, test and publish it, and draw a report.\n\n"
        f"{PROGRAM} train --data mnist --network cnn",
    )
    parser.add_argument("--data", required=True, help=DATA)
    parser.add_argument("--network", required=True, choices=NETWORKS)
    parser.add_argument("--backend", choices=BACKENDS, help="what Keras computes with (default: tensorflow)")
    parser.add_argument("--epochs", type=int, help="at most (default: what the network needs)")
    parser.add_argument("--batch-size", type=int, help="pictures a step (default: 128)")
    parser.add_argument("--rate", type=float, help="learning rate (default: the optimizer's own)")
    parser.add_argument("--width", type=float, metavar="TIMES", help="hidden layers that many times as wide")
    parser.add_argument("--keep", type=float, metavar="SHARE", help="of held-out pictures that get a label")
    parser.add_argument("--limit", type=int, metavar="N", help="learn from N pictures and test on N (a quick try)")
    parser.add_argument("--augment", choices=[*LEVELS], help="how much pictures are changed (default: the network's)")
    parser.add_seed()
    parser.add_argument(
        "--subject", choices=GREY_SUBJECTS, help=f"how a folder's pictures are framed (default: {HAND.name})"
    )
    parser.add_argument("--backbone", help="for vgg16: another network of keras.applications (default: VGG16)")
    parser.add_argument("--weights", help="for vgg16: imagenet, or a file of weights (default: imagenet)")
    parser.add_argument(
        "--side", type=int, help="for vgg16: pixels that pictures are scaled to, 48 to 150 (default: 48)"
    )
    parser.add_argument(
        "--copies", type=int, metavar="N", help="for vgg16: changed ones of each picture (default: by their number)"
    )
    parser.add_argument("--fine-tune", type=int, metavar="EPOCHS", help="for vgg16: with block 5 unfrozen")
    parser.add_models()
    parser.add_runs("where the run's folder goes")
    return parser


def run_report(words: Sequence[str]) -> None:
    parser = Parser(
        f"{PROGRAM} report",
        f"Draw the pictures of runs, and a page that shows them.\n\n{PROGRAM} report runs/mnist-cnn-0",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    for folder in parser.parse_args(words).runs:
        report.write_report(folder, default_samples())
        print(f"Wrote {folder / 'index.html'}")


def run_compare(words: Sequence[str]) -> None:
    parser = Parser(
        f"{PROGRAM} compare",
        f"Runs side by side: accuracy, size, time.\n\n{PROGRAM} compare runs/mnist-cnn-0 runs/mnist-knn-0",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--picture", type=Path, default=paths.runs() / "compare.png", metavar="FILE")
    options = parser.parse_args(words)
    compare.compare(options.runs, options.picture)


def run_publish(words: Sequence[str]) -> None:
    parser = Parser(
        f"{PROGRAM} publish",
        f"Make a finished run's network the current model of its task.\n\n{PROGRAM} publish runs/mnist-cnn-0",
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_models()
    options = vars(parser.parse_args(words))
    publish.publish(options["run"], options.get("models") or default_models(), default_samples())


def run_table(words: Sequence[str]) -> None:
    parser = Parser(
        f"{PROGRAM} table",
        "Every network on every data set, and training/RESULTS.md from the runs. Hours on two cores; what is done already is\n"
        "not done again.\n\n"
        f"{PROGRAM} table\n"
        f"{PROGRAM} table --cluster HOST:PORT    on all machines of a Ray cluster\n"
        f"{PROGRAM} table --write                only write the table from the runs that are there",
    )
    parser.add_argument("--data", nargs="+", choices=TABLE_DATA, help="only these (default: all)")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, help="only these (default: all)")
    parser.add_argument("--seeds", "--seed", type=int, nargs="+", help="a run of each (default: 0)")
    parser.add_argument("--limit", type=int, metavar="N", help="learn from N pictures each (to try the command out)")
    parser.add_argument("--epochs", type=int, help="at most, for every network (to try the command out)")
    parser.add_runs("where the runs' folders go")
    parser.add_argument("--models", type=open_models, metavar="DIR", help="where the models go (default: runs/models)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="the table (default: training/RESULTS.md)")
    parser.add_argument("--write", action="store_true", help="train nothing")
    parser.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS",
        help="train on a Ray cluster: on the one whose head is at ADDRESS, else on one that runs here, else on this machine",
    )  # fmt: skip
    parser.add_argument(
        "--cpus", type=int, metavar="N", help="with --cluster: cores of each run (default: all of the smallest machine)"
    )
    settings = TableSettings(**vars(parser.parse_args(words)))
    with exit_on_error("\nStopped. The same command goes on from here."):
        table_runs.make_table(settings, default_samples())


def run_sweep(words: Sequence[str]) -> None:
    settings = SweepSettings(**vars(_sweep_parser().parse_args(words)))
    configure_tensorflow()
    with exit_on_error("\nStopped. The same command goes on with the trials that are not done."):
        sweep.sweep(settings, default_samples())


def _sweep_parser() -> Parser:
    parser = Parser(
        f"{PROGRAM} sweep",
        f"{sweep.__doc__}\n{PROGRAM} sweep --task letters --kind pose --space space.toml\n"
        f"{PROGRAM} sweep --task mnist --network cnn --space space.json --trials 12 --cluster HOST:PORT",
    )
    parser.add_argument(
        "--task", required=True,
        help=f"{' or '.join(SIGNS)} (photographs of hands), digits (mnist), {', '.join(catalogue.NAMES[:-2])}, "
        "a task of your own, or a folder of series/label/picture",
    )  # fmt: skip
    parser.add_argument("--space", required=True, type=Path, metavar="FILE", help="what is searched: TOML or JSON")
    parser.add_argument("--trials", type=int, metavar="N", help="at most (default: 16)")
    parser.add_argument("--network", choices=[*WORKSHOP], help="of a data set (default: cnn; of digits cnn-bn)")
    parser.add_argument("--kind", choices=JOINT_INPUTS, help="of letters and rps (default: pose)")
    parser.add_argument("--epochs", type=int, help="at most, of a data set's network")
    parser.add_argument("--limit", type=int, metavar="N", help="learn from N pictures (to try the command out)")
    parser.add_seed()
    parser.add_runs("where the sweep is kept")
    parser.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS",
        help="of a Ray head (default: of the cluster that runs here, else this machine's cores)",
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
