"""Evaluates a published model with the live pipeline."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from recognizer.errors import DataError, SamplesError, SettingsError, SourceError
from recognizer.overlay.overlay import Overlay
from recognizer.pipeline import Pipeline
from recognizer.sources.decoding import read_image
from recognizer.sources.opening import open_source
from recognizer.studio.handwriting import draw_strokes, letter_strokes
from recognizer.system import paths
from recognizer.system.terminal import print_messages
from recognizer.teaching.label_folders import pictures_below, read_label_folders
from recognizer.values import Frame, Observation
from training.datasets import paper_scenes, rooms
from training.datasets.hand_photographs import LABELS
from training.datasets.mnist import load_mnist
from training.settings import SIGN_INPUTS
from training.shipped import sign_data, sign_validation

SIZE_WH = (640, 480)
PRINTED = "ACEFHJKMNPRTUVWXY"  # capitals that resemble no digit
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)


def evaluate_mnist(pipeline: Pipeline) -> None:
    """Print accuracy and coverage of the shipped LiteRT network on MNIST's 10,000 test digits."""
    mnist = load_mnist()
    predictions = pipeline.classifier.predict(list(mnist.test_images))
    right = [p.top[0][0] == str(label) for p, label in zip(predictions, mnist.test_labels, strict=True)]
    labelled = [p.label is not None for p in predictions]
    labelled_right = [p.label == str(label) for p, label in zip(predictions, mnist.test_labels, strict=True)]
    print(f"accuracy   {np.mean(right):.4f}   of {len(right)} test digits")
    print(f"coverage   {np.mean(labelled):.4f}   get a label")
    print(f"right      {np.mean(labelled_right):.4f}   get the right label")


def evaluate_sources(task: str, kind: str | None, runs: Path) -> None:
    """Print the leave-one-person-out validation of each input. Uses cached predictions, and trains the missing folds.

    Raises SettingsError for a task without photographs of hands.
    """
    if task not in LABELS:
        raise SettingsError(f"Sources can be evaluated for --task {' or '.join(LABELS)} only, not for {task}.")
    data = sign_data.load_sign_data(task, runs, 0)
    sign_validation.print_table(data, sign_validation.validate(data, [kind] if kind else list(SIGN_INPUTS)))


def evaluate_photos(pipeline: Pipeline, folder: Path, *, mistakes: bool) -> None:
    """Print the end-to-end accuracy on photographs of one character each. Any text other than the label counts as wrong."""
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    wrong = []
    for frame, series, label in _frames(folder):
        text = pipeline.step(frame).text
        total[series] += 1
        right[series] += text == label
        if text != label:
            wrong.append(f"{frame.name}: {label} read as {text or 'nothing'}")
    for series in sorted(total):
        print(f"{series:20} {right[series]:4} of {total[series]:4}   {right[series] / total[series]:.3f}")
    print(f"{'all':20} {right.total():4} of {total.total():4}   {right.total() / total.total():.4f}")
    if mistakes:
        print("\n".join(wrong))


def evaluate_mirrored(pipeline: Pipeline, folder: Path) -> None:
    """Print the share of the correctly read pictures in `folder` that are read correctly after a horizontal flip, too."""
    right = same = 0
    for frame, _, label in _frames(folder):
        if pipeline.step(frame).text == label:
            right += 1
            flipped = Frame(np.ascontiguousarray(frame.image_bgr[:, ::-1]), 0, 0.0, frame.name)
            same += pipeline.step(flipped).text == label
    print(f"{same} of {right} correctly read pictures are read the same when flipped: {same / max(1, right):.4f}")


def evaluate_clip(pipeline: Pipeline, path: Path, shows: str) -> None:
    """Run the pipeline on a video and print, for each part, the share of frames with the right label."""
    with open_source(str(path), paced=False) as frames:
        texts = [pipeline.step(frame).text for frame in frames]
    signs_right = signs_all = 0
    for label, first, last in parse_shows(shows, len(texts)):
        text_read = texts[first : last + 1]
        right = sum(text == label for text in text_read)
        wrong = ", ".join(
            f"{text or 'nothing'} ×{count}" for text, count in Counter(text_read).most_common(4) if text != label
        )
        print(f"{label or 'nothing':12} frames {first:4} to {last:4}   {right:4} of {len(text_read):4}   {wrong}")
        if label:
            signs_right, signs_all = signs_right + right, signs_all + len(text_read)
    print(f"{'all signs':12} {signs_right} of {signs_all}   {signs_right / max(1, signs_all):.4f}")


def parse_shows(shows: str, count: int) -> list[tuple[str, int, int]]:
    """Label ("" for an empty scene), first and last frame of each part. Raises SettingsError."""
    parts = []
    for part in filter(None, shows.split(",")):
        found = re.fullmatch(r"(.*):(\d+)-(\d+)", part.strip())
        if not found or not int(found[2]) <= int(found[3]) < count:
            raise SettingsError(f"--shows takes LABEL:FIRST-LAST,… within the clip's {count} frames, not {part!r}.")
        parts.append((found[1], int(found[2]), int(found[3])))
    if not parts:
        raise SettingsError(f"The option --shows is missing. Give LABEL:FIRST-LAST,… within the clip's {count} frames.")
    return parts


def labelled_pictures(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """(path, series, label) of the pictures in a folder's label folders; see `read_label_folders`. Raises DataError."""
    try:
        found = read_label_folders(folder)
    except SamplesError as error:
        raise DataError(str(error)) from error
    print_messages(found.notes)
    for picture in found.pictures:
        yield picture.path, picture.folders or folder.name, picture.label


def _frames(folder: Path) -> Iterator[tuple[Frame, str, str]]:
    """(frame, series, label) of the labelled pictures. A damaged one is left out with a line on stderr."""
    for path, series, label in labelled_pictures(folder):
        try:
            yield Frame(read_image(path), 0, 0.0, str(path)), series, label
        except SourceError as error:
            print_messages([f"Left out: {error}"])


def evaluate_rejection(pipeline: Pipeline, each: int, seed: int) -> None:
    """Print the false positive rate on pictures without a digit, by kind. The goal is at most 1 %."""
    rng = np.random.default_rng(seed)
    kinds = {**drawn_kinds(rng, each), **photo_kinds()}
    labelled: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for kind, pictures in kinds.items():
        read: Counter[str] = Counter()
        for picture in islice(pictures, 2 * each):
            text = pipeline.step(Frame(picture, 0, 0.0, kind)).text
            total[kind] += 1
            labelled[kind] += bool(text)
            read.update(text)
        detail = ", ".join(f"{text} ×{count}" for text, count in read.most_common(5))
        print(f"{kind:22} {labelled[kind]:4} of {total[kind]:4}   {labelled[kind] / total[kind]:.4f}   {detail}")
    print(f"{'all':22} {labelled.total():4} of {total.total():4}   {labelled.total() / total.total():.4f}")


CELLS = [(light, sheet) for light in ("bright", "middle", "dim") for sheet in ("near", "middle", "far")]
ROOM_WH = (1280, 720)
LEAST_HEIGHT = 40  # pixels of a digit in `evaluate_rooms`


def evaluate_rooms(pipeline: Pipeline, each: int, seed: int, failures: Path | None) -> None:
    """Print the share of numbers read exactly, by light and sheet size, and of digits read correctly on full sheets.

    Writers (MNIST's test digits), rooms and hands are held out from the finder's training.
    """
    sources = rooms.scene_sources(held_out=True)
    tiles = _evaluate_numbers(pipeline, sources, each, seed) + _evaluate_sheets(pipeline, sources, each, seed)
    _write_failures(tiles, failures)


def _evaluate_numbers(pipeline: Pipeline, sources: rooms.SceneSources, each: int, seed: int) -> list[np.ndarray]:
    """Print the share of numbers in rooms that are read exactly. Returns pictures of the failures."""
    tiles: list[np.ndarray] = []
    total = Counter[str]()
    for number, (light, sheet) in enumerate(CELLS):
        rng = np.random.default_rng([seed, number])
        outcomes = Counter[str]()
        for _ in range(each):
            scene, text = number_scene(sources, rng, light, sheet)
            text_read = pipeline.step(Frame(scene.picture_bgr, 0, 0.0, "room")).text
            outcomes[failure(text, text_read)] += 1
            if text_read != text:
                tiles.append(_failed(scene.picture_bgr, f"{light} {sheet}: {text}, read {text_read or 'nothing'}"))
        total += outcomes
        print(f"{light:8} {sheet:8} {outcomes['right']:4} of {each:4}   {_others(outcomes)}")
    print(
        f"{'all numbers':17} {total['right']:4} of {total.total():4}   {total['right'] / total.total():.4f}   {_others(total)}"
    )
    return tiles


def _evaluate_sheets(pipeline: Pipeline, sources: rooms.SceneSources, each: int, seed: int) -> list[np.ndarray]:
    """Print how many digits on full sheets are read correctly. Returns pictures of the sheets with failures."""
    tiles: list[np.ndarray] = []
    for number, light in enumerate(("bright", "middle", "dim")):
        rng = np.random.default_rng([seed, 100, number])
        found = right = wrong = 0
        for _ in range(max(1, each // 4)):
            scene = rooms.draw(sources, rng, ROOM_WH, light=light, sheet="near", layout="pens")
            digits = [one for one in scene.written if one.label and not one.ambiguous]
            observation = pipeline.step(Frame(scene.picture_bgr, 0, 0.0, "room"))
            right_here, wrong_here = _right_and_wrong(observation, scene)
            found, right, wrong = found + len(digits), right + right_here, wrong + wrong_here
            if right_here < len(digits) or wrong_here:
                drawn = Overlay(mirror=False).draw(observation)
                tiles.append(_failed(drawn, f"{light} pens: {right_here} of {len(digits)}, {wrong_here} wrong"))
        print(
            f"sheets of digits, {light:8} {right:4} of {found:4}   {right / max(1, found):.4f}   {wrong} wrong labels"
        )
    return tiles


def _right_and_wrong(observation: Observation, scene: rooms.Scene) -> tuple[int, int]:
    """The number of labels that match the digit at their place, and of labels that match none."""
    right = wrong = 0
    for region, prediction in zip(observation.regions, observation.predictions, strict=True):
        truth = [one for one in scene.written if region.box.iou(rooms.box_of(one)) > 0.4]
        right += any(one.label == prediction.label and not one.ambiguous and bool(one.label) for one in truth)
        wrong += prediction.label is not None and not any(one.label == prediction.label for one in truth)
    return right, wrong


PAGES = {  # for each kind: range of digit count, of digit height as a share of the picture's, lines around the number
    "underlined": ((2, 4), (0.12, 0.4), "underline"),
    "framed": ((2, 4), (0.12, 0.4), "frame"),
    "in cells": ((2, 4), (0.12, 0.4), "cells"),
    "circled": ((2, 4), (0.12, 0.4), "circle"),
    "bar at the left": ((2, 4), (0.12, 0.4), "bar"),
    "highlighted": ((2, 4), (0.12, 0.4), "highlight"),
    "nearly fills the picture": ((1, 1), (0.6, 0.95), ""),
    "a 1 alone": ((1, 1), (0.1, 0.6), ""),
}


def evaluate_pages(pipeline: Pipeline, each: int, seed: int, failures: Path | None) -> None:
    """Print the share of numbers read exactly from pages that fill the picture. The writers are held out from training."""
    sources = rooms.scene_sources(held_out=True)
    tiles: list[np.ndarray] = []
    for number, (kind, (counts, shares, lines)) in enumerate(PAGES.items()):
        rng = np.random.default_rng([seed, 200, number])
        outcomes = Counter[str]()
        while outcomes.total() < each:
            digits = rng.integers(10, size=rng.integers(counts[0], counts[1] + 1))
            text = "1" if kind == "a 1 alone" else "".join(map(str, digits))
            size_wh = SIZE_WH if rng.random() < 0.5 else ROOM_WH
            scene = rooms.draw_page(sources, rng, size_wh, text, rng.uniform(*shares), lines)
            if len(scene.written) < len(text) or any(one.ambiguous or not one.label for one in scene.written):
                continue
            text_read = pipeline.step(Frame(scene.picture_bgr, 0, 0.0, "page")).text
            outcomes[failure(text, text_read)] += 1
            if text_read != text and failures:
                tiles.append(_failed(scene.picture_bgr, f"{kind}: {text}, read {text_read or 'nothing'}"))
        print(f"{kind:26} {outcomes['right']:4} of {each:4}   {outcomes['right'] / each:.4f}   {_others(outcomes)}")
    _write_failures(tiles, failures)


def number_scene(
    sources: rooms.SceneSources, rng: np.random.Generator, light: str, sheet: str
) -> tuple[rooms.Scene, str]:
    """A scene with one legible number of 1 to 4 digits, and the number."""
    while True:
        scene = rooms.draw(sources, rng, ROOM_WH, light=light, sheet=sheet, layout="number")
        heights = [one.box_xyxy[3] - one.box_xyxy[1] for one in scene.written]
        legible = all(one.label and not one.ambiguous for one in scene.written)
        if heights and legible and min(heights) >= LEAST_HEIGHT:
            return scene, "".join(str(one.label) for one in sorted(scene.written, key=lambda one: one.box_xyxy[0]))


def failure(text: str, text_read: str) -> str:
    """The outcome if `text` is read as `text_read`: "right", or the kind of failure."""
    if text_read == text:
        return "right"
    if not text_read:
        return "nothing read"
    if len(text_read.replace(" ", "")) > len(text):
        return "more read"
    return "wrong digit" if len(text_read) == len(text) and "?" not in text_read else "digit missing"


def _others(outcomes: "Counter[str]") -> str:
    """The counts of all outcomes except "right", the most common first."""
    return ", ".join(f"{kind} ×{count}" for kind, count in outcomes.most_common() if kind != "right")


def _failed(picture: np.ndarray, words: str) -> np.ndarray:
    """A thumbnail of the picture with a caption, (216, 384, 3) uint8 BGR."""
    small = cv2.resize(picture, (384, 216), interpolation=cv2.INTER_AREA)
    cv2.putText(small, words, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(small, words, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return small


def _write_failures(tiles: list[np.ndarray], path: Path | None) -> None:
    """Write the thumbnails as a contact sheet, if there are any and a path is given."""
    if path and tiles:
        columns = 5
        tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
        rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
        cv2.imwrite(str(path), np.vstack(rows))
        print(f"Wrote {path}")


def drawn_kinds(rng: np.random.Generator, each: int) -> dict[str, Iterable[np.ndarray]]:
    """Synthetic pictures without a digit, (480, 640, 3) uint8 BGR, by kind."""
    width, height = SIZE_WH
    return {
        "blank paper": (paper_scenes.photograph(np.zeros((height, width), np.uint8), 60, rng) for _ in range(each)),
        "white noise": (rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(each)),
        "textures": (paper_scenes.draw_texture(rng) for _ in range(each)),
        "shapes and scribbles": (paper_scenes.draw_shapes(rng, 1) for _ in range(each)),
        "handwritten letters": (_letter_picture(rng) for _ in range(2 * each)),
        "printed letters": (_printed_picture(rng) for _ in range(each)),
    }


def _letter_picture(rng: np.random.Generator) -> np.ndarray:
    """One handwritten letter that resembles no digit."""
    letter = paper_scenes.LETTERS[rng.integers(len(paper_scenes.LETTERS))]
    size = rng.uniform(60, 400)
    ink = np.zeros(SIZE_WH[::-1], np.uint8)
    stamp = draw_strokes(
        letter_strokes(letter, rng), (round(size), round(size)), max(1.5, size * rng.uniform(0.02, 0.1))
    )
    x, y = int(rng.integers(SIZE_WH[0] - stamp.shape[1])), int(rng.integers(SIZE_WH[1] - stamp.shape[0]))
    ink[y : y + stamp.shape[0], x : x + stamp.shape[1]] = stamp
    return paper_scenes.photograph(ink, size, rng)


def _printed_picture(rng: np.random.Generator) -> np.ndarray:
    """One printed letter, in a font that is not in the training data."""
    ink = np.zeros(SIZE_WH[::-1], np.uint8)
    size = rng.uniform(2, 9)
    letter = PRINTED[rng.integers(len(PRINTED))]
    where = int(rng.uniform(40, 350)), int(rng.uniform(250, 450))
    cv2.putText(ink, letter, where, FONTS[rng.integers(len(FONTS))], size, 255, int(rng.integers(2, 14)), cv2.LINE_AA)
    return paper_scenes.photograph(ink, 20 * size, rng)


def photo_kinds() -> dict[str, Iterable[np.ndarray]]:
    """Photographs without a digit in the data folder, by kind: empty rooms and hands. Empty if there are none."""
    found: dict[str, Iterable[np.ndarray]] = {}
    for root in paths.data_folders():
        for name, every in (("nothing", 1), ("rps", 2), ("letters", 10)):
            pictures = pictures_below(root / "photos" / name)
            if pictures:
                found[f"photos/{name}"] = (read_image(path) for path in pictures[::every])
    return found
