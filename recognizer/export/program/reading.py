"""The entry of an export's program: opens the export in its own folder, and reads pictures and videos."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from recognizer.export.program.model import Model
from recognizer.export.program.paper import Reader
from recognizer.values import Frame, Observation, as_json

USAGE = """python predict.py PICTURE…         reads pictures, and prints one line of JSON for each
python predict.py --watch VIDEO    reads a video file, or the camera with that number, and prints each new text"""


def open_reader(folder: Path | None = None, *, stream: bool = False) -> Reader:
    """The reader of the export in a folder, by default this file's own. `stream` is for the frames of one video."""
    return Reader(Model(folder or Path(__file__).resolve().parent), stream=stream)


def read(reader: Reader, picture_bgr: np.ndarray) -> Observation:
    """What one picture (H, W, 3) uint8 BGR, as cv2.imread gives it, shows."""
    return reader.read(Frame(picture_bgr, 0, 0.0, "picture"))


def watch(source: str) -> Iterator[Observation]:
    """What each frame of a video file, or of the camera with this number, shows. Ends the program if it cannot be opened."""
    reader = open_reader(stream=True)
    video = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    if not video.isOpened():
        sys.exit(f"{source} cannot be opened as a video or camera.")
    for index in range(sys.maxsize):
        found, frame_bgr = video.read()
        if not found:
            break
        yield reader.read(Frame(frame_bgr, index, video.get(cv2.CAP_PROP_POS_MSEC) / 1000, source))
    video.release()


def main() -> int:
    """Run the command. Return its exit code: 1 if a picture could not be read, 2 if none is named."""
    words = sys.argv[1:]
    if len(words) == 2 and words[0] == "--watch":
        last = None
        for observation in watch(words[1]):
            if observation.text != last:
                print(last := observation.text, flush=True)
        return 0
    if not words or words[0].startswith("-"):
        print(USAGE)
        return 2
    failed, reader = 0, open_reader()
    for name in words:
        picture_bgr = cv2.imread(name)
        if picture_bgr is None:
            print(f"{name} cannot be read as a picture.", file=sys.stderr)
            failed = 1
            continue
        print(json.dumps({"file": name, **as_json(read(reader, picture_bgr))}, ensure_ascii=False))
    return failed
