"""`int8 TASK`: quantizes a task's model to 8-bit integers; `recognizer export TASK --to litert --int8` calls it."""

import json
from collections.abc import Sequence

from recognizer.commands.options import given_path
from recognizer.registry.synced import default_models
from recognizer.samples.synced import default_samples, open_samples
from recognizer.system import files
from training.commands.command_line import TrainingParser
from training.publishing.int8 import quantize

ABOUT = (
    "Quantize a task's model to 8-bit integers, with its samples. Writes the network, and a report of what it costs."
)


def run(words: Sequence[str]) -> None:
    """Run the command; `words` are its arguments, from "int8" on. Raises RecognizerError."""
    parser = TrainingParser("python -m training int8", ABOUT)
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("--out", type=given_path, metavar="DIR", required=True, help="a folder for the two files")
    parser.add_argument("--samples", type=open_samples, metavar="DIR", help="folder or URL of the samples")
    parser.add_models()
    options = vars(parser.parse_args(words[1:]))
    models, samples = options.get("models") or default_models(), options.get("samples") or default_samples()
    quantized = quantize(models, samples, options["task"])
    report = {name: value for name, value in vars(quantized).items() if name != "network"}
    report["bytes_after"] = len(quantized.network)
    options["out"].mkdir(parents=True, exist_ok=True)
    files.write_file(options["out"] / "classifier.tflite", quantized.network)
    files.write_file(options["out"] / "report.json", f"{json.dumps(report, indent=1, ensure_ascii=False)}\n".encode())
