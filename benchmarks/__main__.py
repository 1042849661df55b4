"""Runs the benchmarks and writes benchmarks/RESULTS.md.

python -m recognizer benchmark           measure the sections that runs/benchmarks/ lacks; resumes an interrupted run
python -m recognizer benchmark --fresh   measure all sections again
python -m recognizer benchmark digits    measure that section again
python -m recognizer benchmark motion DIR    … with the real sequences in DIR

Both sides of a ratio are measured in the same run. Other load on the machine makes the ratios less accurate.
"""

import importlib
import subprocess
import sys
import time
from importlib.util import find_spec

from benchmarks.report import SECTIONS
from recognizer.commands.options import Parser, check_command, given_path
from recognizer.system import machine, paths
from recognizer.system.environment import complete
from recognizer.system.terminal import exit_on_error

RESULTS = paths.ROOT / "benchmarks" / "RESULTS.md"
REPORTS: dict[str, tuple[str, tuple[str, ...]]] = {  # section: module, and the arguments of its report()
    "digits": ("frame_cost", ("digits",)),
    "hands": ("frame_cost", ("letters",)),
    "networks": ("hand_networks", ()),
    "serve": ("server_cost", ()),
    "crowd": ("crowd_cost", ()),
    "startup": ("startup_cost", ()),
    "growth": ("scaling", ()),
    "captured": ("sample_cost", ()),
    "fewshot": ("few_shot", ()),
    "motion": ("motion", ()),
    "teach": ("teaching_cost", ()),
    "events": ("event_cost", ()),
    "words": ("spelling", ()),
    "export": ("export_cost", ()),
    "cluster": ("cluster_cost", ()),
    "faults": ("faults", ()),
    "setup": ("setup_cost", ()),
}
WITH_FOLDER = "motion"  # the section that takes a folder
LONG = "hours"  # the section that benchmarks.soak writes
NEEDS = {"cluster": "ray", "events": "paho"}  # section: the optional package that it needs


def main() -> None:
    parser = Parser("benchmark", __doc__, example="digits")
    parser.add_argument("section", nargs="?", metavar="SECTION", help=f"one of {', '.join(REPORTS)}")
    parser.add_argument(
        "folder", nargs="?", type=given_path, metavar="DIR", help="of motion: the folder with real people's sequences"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="measure again the sections that runs/benchmarks/ contains"
    )
    with exit_on_error():
        options = parser.parse_args()
        complete()
        SECTIONS.mkdir(parents=True, exist_ok=True)
        if options.section:
            check_command(options.section, REPORTS, parser.prog)
            if options.folder is not None and options.section != WITH_FOLDER:
                parser.error(f"only {WITH_FOLDER} takes a folder")
            write_section(options.section, () if options.folder is None else (str(options.folder),))
        else:
            measure_all(fresh=options.fresh)
        write_results()
        print(f"Wrote {RESULTS.relative_to(paths.ROOT)}")


def measure_all(*, fresh: bool) -> None:
    """Measure each section in a separate process, so that no section profits from modules that another one loaded."""
    for name in REPORTS:
        if (SECTIONS / f"{name}.md").is_file() and not fresh:
            print(f"{name}: already measured", flush=True)
            continue
        if not is_there(name):
            print(f"{name}: skipped, not available here", flush=True)
            continue
        start_s = time.perf_counter()
        process = subprocess.run([sys.executable, "-m", "benchmarks", name], cwd=paths.ROOT, check=False)
        if process.returncode:
            sys.exit(process.returncode)
        print(f"{name}: {time.perf_counter() - start_s:.0f} s", flush=True)


def is_there(name: str) -> bool:
    """Whether the section's module has a report, and the packages that it needs are installed."""
    if find_spec(NEEDS.get(name, "benchmarks")) is None or find_spec(f"benchmarks.{REPORTS[name][0]}") is None:
        return False
    return hasattr(importlib.import_module(f"benchmarks.{REPORTS[name][0]}"), "report")


def write_section(name: str, more: tuple[str, ...] = ()) -> None:
    """Measure a section, with more arguments of its report(), and save its Markdown in SECTIONS. Raises RecognizerError."""
    module, words = REPORTS[name]
    section = importlib.import_module(f"benchmarks.{module}").report(*words, *more)
    (SECTIONS / f"{name}.md").write_text(section.rstrip() + "\n", encoding="utf-8")


def write_results() -> None:
    """Write RESULTS.md from all measured sections."""
    sections = [SECTIONS / f"{name}.md" for name in (*REPORTS, LONG)]
    head = (
        "# Benchmark results\n\n"
        f"{machine.description()}\n\n"
        "Written by `python -m recognizer benchmark`, section by section. Milliseconds depend on the machine. "
        "Both sides of a ratio are measured in the same run, so ratios transfer better to other machines. "
        "The section on memory over hours is written by: `python -m benchmarks.soak --minutes 30`.\n"
    )
    parts = [path.read_text(encoding="utf-8") for path in sections if path.is_file()]
    RESULTS.write_text("\n".join([head, *parts]), encoding="utf-8")


if __name__ == "__main__":
    main()
