"""The option --samples. It has its own module because it imports OpenCV, which would slow down `--help`."""

import argparse

from recognizer.samples.synced import open_samples
from recognizer.system import paths


def add_samples(parser: argparse.ArgumentParser) -> None:
    """Add the option --samples. Its value is a store of samples."""
    parser.add_argument(
        "--samples", type=open_samples, default=paths.captures(), metavar="FOLDER",
        help="folder or URL of the captured samples (default: RECOGNIZER_CAPTURES, else data/captures/)",
    )  # fmt: skip
