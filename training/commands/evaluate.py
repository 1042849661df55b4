"""`evaluate mnist|photos|…`: measures a published model."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from recognizer.commands.options import given_path, seed
from recognizer.pipeline import Pipeline, open_pipeline
from recognizer.samples.synced import default_samples
from training.commands.command_line import CommandHelp, Parser, choose_command
from training.evaluation import evaluate, sign_inputs, sign_streams
from training.settings import SIGN_INPUTS, SIGNS, EvaluateSettings

PROGRAM = "python -m recognizer evaluate"
ABOUT = "Measure a published model with the pipeline that runs live."
WORDS = {
    "mnist": CommandHelp("accuracy and coverage on MNIST's test digits", "mnist"),
    "photos": CommandHelp(
        "end-to-end accuracy on photographs in DIR/series/label or DIR/label", "photos DIR --mistakes"
    ),
    "mirrored": CommandHelp("whether flipped photographs get the same label", "mirrored DIR --task letters"),
    "clip": CommandHelp(
        "accuracy on the frames of a video, read as a stream", "clip FILE --task letters --shows A:0-89,V:90-179"
    ),
    "rejection": CommandHelp("false positives on pictures without a digit", "rejection"),
    "rooms": CommandHelp("accuracy on numbers on sheets held up in drawn rooms", "rooms --sheet failures.png"),
    "pages": CommandHelp("accuracy on numbers on drawn pages that fill the picture", "pages --sheet failures.png"),
    "sources": CommandHelp("accuracy on hand signs of held-out people", "sources --task rps"),
    "streams": CommandHelp("accuracy on streams of signs that held-out people show", "streams --task letters"),
    "kinds": CommandHelp(
        "compare the inputs for hand signs: joints, pixels, both; writes training/SIGNS.md", "kinds --every 8"
    ),
}


def run(words: Sequence[str]) -> None:
    """Run the command; `words` are its arguments, beginning with "evaluate"."""
    what = choose_command(PROGRAM, ABOUT, words[1:], WORDS)
    if what is not None:
        MEASUREMENTS[what](EvaluateSettings(**vars(_parser(what).parse_args(words[2:]))))


def _parser(what: str) -> Parser:
    parser = Parser(f"{PROGRAM} {what}", f"{WORDS[what].help}\n\n{PROGRAM} {WORDS[what].example}")
    if what in ("photos", "mirrored", "clip"):
        parser.add_argument("folder", type=given_path, metavar="FILE" if what == "clip" else "DIR")
    if what == "clip":
        parser.add_argument(
            "--shows",
            required=True,
            metavar="LABEL:FIRST-LAST,…",
            help="frames of each label; without a label for an empty scene, as in :0-29",
        )
    if what == "photos":
        parser.add_argument("--mistakes", action="store_true", help="list each file with a wrong result")
    if what in ("rejection", "rooms", "pages"):
        parser.add_argument("--each", type=int, metavar="N", help="drawn pictures per category (default: 300)")
        parser.add_argument("--seed", type=seed, help="random seed of the pictures (default: 1)")
    if what in ("rooms", "pages"):
        parser.add_argument("--sheet", type=given_path, metavar="FILE", help="write a contact sheet of the failures")
    if what in ("sources", "streams"):
        parser.add_argument("--task", required=True, choices=SIGNS)
        default = "all" if what == "sources" else "fused"
        parser.add_argument("--kind", choices=SIGN_INPUTS, help=f"only this input of the network (default: {default})")
        parser.add_runs("folder of intermediate results")
    elif what == "kinds":
        parser.add_argument(
            "--every", type=int, metavar="N", help="use every Nth test picture (default: all, a quarter of an hour)"
        )
        parser.add_argument("--results", type=given_path, metavar="FILE", help="file for the table")
    else:
        parser.add_argument("--task", help="digits, letters, rps, or one of your own (default: digits)")
    if what not in ("sources", "streams"):
        parser.add_models()
    return parser


@contextmanager
def _opened(settings: EvaluateSettings, *, stream: bool = False) -> Iterator[Pipeline]:
    with open_pipeline(settings.task, settings.models, default_samples(), smooth=stream) as pipeline:
        yield pipeline


def _mnist(settings: EvaluateSettings) -> None:
    with _opened(settings) as pipeline:
        evaluate.evaluate_mnist(pipeline)


def _photos(settings: EvaluateSettings) -> None:
    with _opened(settings) as pipeline:
        evaluate.evaluate_photos(pipeline, settings.folder, mistakes=settings.mistakes)


def _mirrored(settings: EvaluateSettings) -> None:
    with _opened(settings) as pipeline:
        evaluate.evaluate_mirrored(pipeline, settings.folder)


def _clip(settings: EvaluateSettings) -> None:
    with _opened(settings, stream=True) as pipeline:
        evaluate.evaluate_clip(pipeline, settings.folder, settings.shows)


def _rejection(settings: EvaluateSettings) -> None:
    with _opened(settings) as pipeline:
        evaluate.evaluate_rejection(pipeline, settings.each, settings.seed)


def _rooms(settings: EvaluateSettings) -> None:
    with _opened(settings) as pipeline:
        evaluate.evaluate_rooms(pipeline, settings.each, settings.seed, settings.sheet)


def _pages(settings: EvaluateSettings) -> None:
    with _opened(settings) as pipeline:
        evaluate.evaluate_pages(pipeline, settings.each, settings.seed, settings.sheet)


def _sources(settings: EvaluateSettings) -> None:
    evaluate.evaluate_sources(settings.task, settings.kind, settings.runs)


def _streams(settings: EvaluateSettings) -> None:
    sign_streams.evaluate_streams(settings.task, settings.kind or "fused", settings.runs)


def _kinds(settings: EvaluateSettings) -> None:
    sign_inputs.write_comparison(settings.models, settings.every, settings.results)


MEASUREMENTS: dict[str, Callable[[EvaluateSettings], None]] = {
    "mnist": _mnist,
    "photos": _photos,
    "mirrored": _mirrored,
    "clip": _clip,
    "rejection": _rejection,
    "rooms": _rooms,
    "pages": _pages,
    "sources": _sources,
    "streams": _streams,
    "kinds": _kinds,
}
