"""The option --samples. It has its own module because reading samples loads OpenCV, which `--help` must not wait for."""

import argparse

from recognizer.samples.synced import open_samples
from recognizer.system import paths


def add_samples(parser: argparse.ArgumentParser) -> None:
    """`--samples`, as Samples."""
    parser.add_argument(
        "--samples", type=open_samples, default=paths.captures(), metavar="FOLDER",
        help="of the captured samples, or its URL (default: RECOGNIZER_CAPTURES, else data/captures/)",
    )  # fmt: skip
