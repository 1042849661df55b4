"""Start-up time and peak memory, compared with importing OpenCV and TensorFlow.

python -m benchmarks.startup_cost
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.report import table
from recognizer.system import machine, paths
from recognizer.system.terminal import exit_on_error
from recognizer.tasks import TASKS

ROUNDS = 3  # the median is reported, because the first round reads the files from disk
FIRST_ANSWER_SCRIPT = """
import sys
from recognizer.registry.synced import default_models
from recognizer.samples.synced import default_samples
from recognizer.pipeline import open_pipeline
from recognizer.studio.scenes import STUDIO_SCENES, Studio
task = sys.argv[1]
with open_pipeline(task, default_models(), default_samples(), smooth=True) as pipeline:
    pipeline.step(Studio(STUDIO_SCENES[task]).frame(36))
"""
MEMORY_SCRIPT = """
import json, sys
from pathlib import Path
frames = int(sys.argv[2])
if sys.argv[1] == "tensorflow":
    import tensorflow
elif sys.argv[1] == "cv2":
    import cv2
elif sys.argv[1] == "tutorial":
    from benchmarks.frame_cost import tutorial
    from recognizer.studio.scenes import Studio
    loop, studio = tutorial(), Studio()
    for index in range(36, 36 + frames):
        loop(studio.frame(index))
else:
    from recognizer.registry.synced import default_models
    from recognizer.samples.synced import default_samples
    from recognizer.pipeline import open_pipeline
    from recognizer.studio.scenes import STUDIO_SCENES, Studio
    studio = Studio(STUDIO_SCENES[sys.argv[1]])
    with open_pipeline(sys.argv[1], default_models(), default_samples(), smooth=True) as pipeline:
        for index in range(36, 36 + frames):
            pipeline.step(studio.frame(index))
import resource
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(most / 2**20 if sys.platform == "darwin" else most / 2**10))
"""
FRAMES = 30  # processed before memory is measured


def main() -> None:
    with exit_on_error():
        print(machine.description())
        print(report())


def report() -> str:
    """The start-up section in Markdown: seconds to the first prediction and peak megabytes of each task."""
    commands = {
        '`python -c "import cv2"`': ["-c", "import cv2"],
        '`python -c "import tensorflow"`': ["-c", "import tensorflow"],
        "`python -m recognizer --help`": ["-m", "recognizer", "--help"],
        **{f"first prediction, {task}": ["-c", FIRST_ANSWER_SCRIPT, task] for task in TASKS},
    }
    times_s: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times_s[name].append(seconds(command))
    opencv_s, tensorflow_s = (float(np.median(times_s[name])) for name in list(commands)[:2])
    rows = [
        (name, float(np.median(s)), float(np.median(s)) / opencv_s, float(np.median(s)) / tensorflow_s)
        for name, s in times_s.items()
    ]
    memory_mb = {
        "import cv2": megabytes("cv2"),
        "import tensorflow": megabytes("tensorflow"),
        **{f"live loop, {task}": megabytes(task) for task in TASKS},
        "tutorial loop, digits": megabytes("tutorial"),
    }
    tensorflow = memory_mb["import tensorflow"]
    return (
        "## Start-up and memory\n\n`python -m benchmarks.startup_cost`: each row is a separate process; "
        f"median of {ROUNDS} rounds. The first prediction includes drawing the studio frame and loading the hand networks.\n\n"
        + table(["", "seconds", "times `import cv2`", "times `import tensorflow`"], rows)
        + f"\nPeak memory of each process over {FRAMES} frames of 1280x720:\n\n"
        + table(
            ["", "MB", "times `import tensorflow`"], [(name, mb, mb / tensorflow) for name, mb in memory_mb.items()]
        )
    )


def seconds(words: Sequence[str]) -> float:
    """Wall time of a Python process with these arguments, in seconds."""
    start_s = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=paths.ROOT, check=True, capture_output=True)
    return time.perf_counter() - start_s


def megabytes(what: str) -> float:
    """Peak resident memory, in MB, of a process that imports `what` or runs that task."""
    process = subprocess.run(
        [sys.executable, "-c", MEMORY_SCRIPT, what, str(FRAMES)], cwd=paths.ROOT, check=True, capture_output=True
    )
    return float(json.loads(process.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
