"""`recognizer export TASK`: writes a model with a program that runs it elsewhere, and a check that it answers the same."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from recognizer.commands.options import PROGRAM, Parser, add_models, add_task, given_path
from recognizer.commands.other_process import run_module
from recognizer.commands.samples_option import add_samples
from recognizer.errors import SettingsError
from recognizer.export.export import export_folder, export_zip
from recognizer.export.golden import COUNT, SOURCES
from recognizer.export.targets import TARGETS


def run(args: Sequence[str]) -> int:
    """Return 0, or the exit code of the quantization. Raises RecognizerError."""
    options = _parser().parse_args(args)
    if not options.int8:
        return _export(options, None)
    if options.to != "litert":
        raise SettingsError("8-bit networks are LiteRT networks. Give --to litert with --int8.")
    with TemporaryDirectory() as folder:
        stores = [
            "--models",
            str(options.models.folder.absolute()),
            "--samples",
            str(options.samples.folder.absolute()),
        ]
        code = run_module("training", ["int8", options.task, "--out", folder, *stores])
        return code or _export(options, Path(folder))


def _export(options: Namespace, int8: Path | None) -> int:
    out: Path = options.out
    export = export_zip if out.suffix.lower() == ".zip" else export_folder
    exported = export(options.task, options.to, out, options.models, options.samples, options.golden, COUNT, int8)
    print(f"Wrote {out} with {exported.title}: {exported.size_bytes / 1e6:.1f} MB, {exported.golden} golden inputs")
    if exported.int8_cost:
        print(exported.int8_cost)
    return 0


def _parser() -> Parser:
    targets = "\n".join(f"  {name:<8}{target.description}" for name, target in TARGETS.items())
    parser = Parser(
        "export",
        "Write a task's current model for another program, with all that is needed to use it there.",
        example="rps --to litert --out rps-litert",
        epilog=f"exports:\n{targets}\n\nOf an export back into this program: {PROGRAM} models import",
    )
    add_task(parser)
    parser.add_argument("--to", required=True, choices=TARGETS, help="the runtime that is to run it")
    parser.add_argument("--out", required=True, type=given_path, metavar="DIR", help="a new folder, or a file DIR.zip")
    parser.add_argument(
        "--golden", choices=SOURCES, default="studio",
        help=f"where the {COUNT} pictures come from with which the export is checked: drawn, or your own samples, which "
        "whoever gets the export then sees (default: studio)",
    )  # fmt: skip
    parser.add_argument(
        "--int8", action="store_true",
        help="add a network of 8-bit integers and a C header with it, for microcontrollers; needs samples and TensorFlow",
    )  # fmt: skip
    add_samples(parser)
    add_models(parser)
    return parser
