"""Set-up of a fresh clone by start.py, beside `pip install -r requirements.txt` into an empty environment.

python -m benchmarks.setup_cost            without the tests, which take minutes
python -m benchmarks.setup_cost --tests    and until the quick tests are green

Packages are downloaded from this machine's own index. Each side begins with empty caches of its own.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from benchmarks.report import table
from recognizer.errors import SettingsError
from recognizer.sinks.png import write_png
from recognizer.studio.scenes import Studio
from recognizer.system import machine, paths
from recognizer.system.terminal import exit_on_error

BASE, ALL = "requirements-base.txt", "requirements.txt"
GOALS = {"first label": 6, "tests": 2}  # pip must take so many times as long
MOST_MB = 500  # of the environment and the caches, for the first label


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.setup_cost", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--tests", action="store_true", help="run the quick tests, too")
    options = parser.parse_args()
    with exit_on_error():
        print(machine.description())
        print(report(with_tests=options.tests))


def report(*, with_tests: bool = False) -> str:
    """The section on set-up in Markdown. Raises SettingsError if something cannot be installed, or if a test fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone = folder / "clone"
        run(["git", "clone", "--quiet", str(paths.ROOT), str(clone)], environment(folder, "git"))
        picture = folder / "sheet.png"
        write_png(picture, Studio().frame(36).image_bgr)
        start, ours = [sys.executable, str(clone / "start.py")], environment(folder, "start")
        label_s = first_label(start, picture, ours)
        label_mb = disk_mb(clone / ".venv", folder / "start")
        again_s = first_label(start, picture, ours)
        all_s = label_s + run([*start, "install"], ours)[0]
        all_mb = disk_mb(clone / ".venv", folder / "start")
        rows: list[tuple[object, ...]] = [
            ("a fresh clone to the first label", label_s, label_mb),
            ("the next start to the first label", again_s, label_mb),
            ("a fresh clone to everything that training and the tests need", all_s, all_mb),
        ]
        if with_tests:
            tests_s = all_s + run([*start, "test", "-p", "no:cacheprovider"], ours)[0]
            rows.append(("a fresh clone to green tests", tests_s, all_mb))
        shutil.rmtree(clone)
        pip_s, pip_mb = pip_alone(folder)
        rows.append((f"`pip install -r {ALL}`", pip_s, pip_mb))
        downloads = {name: download_mb(name, folder) for name in (BASE, ALL)}
    compared = [(*row, float(pip_s) / float(str(row[1]))) for row in rows]
    command = "python -m benchmarks.setup_cost" + (" --tests" if with_tests else "")
    return (
        f"## Set-up\n\n`{command}`: from this machine's package index, each side with empty caches of its own. "
        "Disk: the environment and the caches.\n\n"
        + table(["", "seconds", "MB on disk", "pip takes times as long"], compared)
        + f"\nDownloaded packages: {downloads[BASE]:.0f} MB for the first label, {downloads[ALL]:.0f} MB in all. "
        f"Goals: pip takes at least {GOALS['first label']} times as long as the first label, which needs at most "
        f"{MOST_MB} MB, and {GOALS['tests']} times as long as green tests.\n"
    )


def environment(folder: Path, side: str) -> dict[str, str]:
    """The variables of one side: caches of its own, no uv on PATH, and none of this project's folders."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECOGNIZER_")}
    for name in ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "PYTHONPATH"):
        kept.pop(name, None)
    places = [place for place in kept["PATH"].split(os.pathsep) if shutil.which("uv", path=place) is None]
    caches = {"UV_CACHE_DIR": folder / side / "uv", "PIP_CACHE_DIR": folder / side / "pip"}
    return {**kept, "PATH": os.pathsep.join(places), **{name: str(path) for name, path in caches.items()}}


def first_label(start: list[str], picture: Path, variables: dict[str, str]) -> float:
    """Seconds until the recognizer has read a picture. Raises SettingsError if it finds nothing."""
    seconds, output = run([*start, "read", str(picture), "--json"], variables)
    if not json.loads(output.splitlines()[-1])["regions"][0]["label"]:
        raise SettingsError(f"{picture} was read without a label.")
    return seconds


def pip_alone(folder: Path) -> tuple[float, float]:
    """Seconds that pip needs to install everything into an empty environment, and MB on disk."""
    venv, variables = folder / "venv", environment(folder, "only-pip")
    run([sys.executable, "-m", "venv", str(venv)], variables)
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    seconds, _ = run([str(python), "-m", "pip", "install", "-r", str(paths.ROOT / ALL)], variables)
    return seconds, disk_mb(venv, folder / "only-pip")


def run(command: list[str], variables: dict[str, str]) -> tuple[float, str]:
    """Run a program. Return its wall time in seconds and what it printed. Raises SettingsError if it fails."""
    start_s = time.perf_counter()
    done = subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start_s
    if done.returncode:
        last = [*done.stdout.splitlines(), *done.stderr.splitlines()][-1:]
        raise SettingsError(f"{' '.join(command)} ended with exit code {done.returncode}: {''.join(last)}")
    return seconds, done.stdout


def disk_mb(*folders: Path) -> float:
    """MB that the folders occupy together; a file with several names counts once."""
    sizes = {}
    for folder in folders:
        for path in folder.rglob("*"):
            status = path.lstat()
            sizes[status.st_dev, status.st_ino] = getattr(status, "st_blocks", -(-status.st_size // 512)) * 512
    return sum(sizes.values()) / 1e6


def download_mb(requirements: str, folder: Path) -> float:
    """Total size of the wheels that are downloaded for this machine, as the index states it."""
    from packaging.tags import sys_tags
    from packaging.utils import parse_wheel_filename

    lock = folder / "pylock.toml"
    uv = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--format=pylock.toml", "--no-header"]
    run([*uv, f"--output-file={lock}", str(paths.ROOT / requirements)], dict(os.environ))
    ranks = {tag: rank for rank, tag in enumerate(sys_tags())}
    total = 0
    for package in tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]:
        fitting = []
        for wheel in package.get("wheels", ()):
            tags = parse_wheel_filename(wheel["url"].rpartition("/")[2])[3]
            fitting += [(ranks[tag], wheel["size"]) for tag in tags if tag in ranks]
        total += min(fitting, default=(0, 0))[1]
    return total / 1e6


if __name__ == "__main__":
    main()
