"""Makes the requirements*.txt from pyproject.toml with uv: `python .ci/pins.py`.

They pin every package, for all systems and Python versions that pyproject.toml allows, and its hashes. Pins that still fit
stay; `python .ci/pins.py --upgrade` takes the newest versions.
"""

import argparse
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
EVERYTHING = "requirements.txt"
FILES = {  # in this order: each file has the versions of the first
    EVERYTHING: (
        "pyproject.toml",
        "--extra=train",
        "--extra=mediapipe",
        "--extra=languages",
        "--extra=export",
        "--group=test",
    ),
    "requirements-actions.txt": ("pyproject.toml", "--extra=actions"),
    "requirements-base.txt": ("pyproject.toml",),
    "requirements-cluster.txt": ("pyproject.toml", "--extra=cluster"),
    "requirements-languages.txt": ("pyproject.toml", "--extra=languages"),
    "requirements-heic.txt": ("pyproject.toml", "--extra=heic"),
    "requirements-torch.txt": ("pyproject.toml", "--extra=torch"),
    "requirements-dev.txt": ("--group=dev",),
}


def compile_pins(folder: Path = REPOSITORY, *options: str) -> None:
    """Write the files into `folder`, keeping the pins of those that are there. Raises CalledProcessError."""
    for name, selection in FILES.items():
        constraint = [] if name == EVERYTHING else ["--constraint", str(folder / EVERYTHING)]
        command = [sys.executable, "-m", "uv", "pip", "compile", *selection, "--output-file", str(folder / name)]
        command += ["--universal", "--python-version=3.11", "--generate-hashes", "--quiet", "--annotation-style=line"]
        command += ["--custom-compile-command", "python .ci/pins.py", *constraint, *options]
        subprocess.run(command, cwd=REPOSITORY, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions instead of the pinned ones")
    try:
        compile_pins(REPOSITORY, *(["--upgrade"] if parser.parse_args().upgrade else []))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
