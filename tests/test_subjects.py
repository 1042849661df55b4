"""The contract of all subjects, and a fourth subject, defined here, that is recorded, trained and recognised."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer import cli
from recognizer.classifiers.classifier import Classifier
from recognizer.errors import ModelError, SamplesError, SettingsError, SubjectError
from recognizer.finders.finder import RegionFinder
from recognizer.pipeline import open_pipeline
from recognizer.preprocess import pictures
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.subjects.catalogue import SUBJECTS, subject_of
from recognizer.subjects.subject import Input, OpenFinder, Subject, UntrainedClassifier
from recognizer.system import paths
from recognizer.teaching import import_pictures
from recognizer.teaching.capture import capture
from recognizer.values import Box, Frame, Hand, Region
from training.settings import LearnSettings
from training.user_tasks import learn

CHALK = 128  # grey levels above this are chalk
MARKS = ("cross", "ring")


def chalk_in(image_bgr: np.ndarray) -> tuple[Box, np.ndarray] | None:
    """The bounding box of the chalk, and its mask (h, w) uint8. None without chalk."""
    bright = cv2.threshold(image_bgr[..., 0], CHALK, 255, cv2.THRESH_BINARY)[1]
    x, y, width, height = cv2.boundingRect(bright)
    return (Box(x, y, x + width, y + height), bright[y : y + height, x : x + width]) if width else None


class ChalkFinder(RegionFinder):
    def find(self, frame: Frame) -> tuple[Region, ...]:
        found = chalk_in(frame.image_bgr)
        return () if found is None else (Region(*found),)


class SlateSubject(Subject):
    """One chalk mark on a slate."""

    name = "slate"
    word = "mark"
    description = "a mark"
    studio_scene = "digits"
    input = Input.INK
    starting_task = "digits"

    def open_finder(self, *, stream: bool, hands: OpenFinder | None = None) -> RegionFinder:
        return ChalkFinder()

    def open_classifier(self, folder: Path, *, stream: bool = False) -> Classifier:
        return Classifier(folder)

    def prepare(self, region: Region) -> np.ndarray:
        return pictures.mnist_image(region.crop)

    def sample_picture(self, frame_bgr: np.ndarray, region: Region) -> np.ndarray:
        box = region.box
        return frame_bgr[box.y1 : box.y2, box.x1 : box.x2]

    def region_of(self, picture_bgr: np.ndarray, box: Box, hand: Hand | None) -> Region | None:
        found = chalk_in(picture_bgr)
        return None if found is None else Region(box, found[1])


@pytest.fixture
def slate(monkeypatch: pytest.MonkeyPatch) -> SlateSubject:
    subject = SlateSubject()
    monkeypatch.setitem(SUBJECTS, subject.name, subject)
    return subject


def marked(mark: str, rng: np.random.Generator) -> Frame:
    """A slate with a mark, (240, 320, 3) uint8 BGR."""
    image = np.full((240, 320, 3), 30, np.uint8)
    x, y = rng.integers((100, 100), (220, 140)).tolist()
    size, pen, chalk = int(rng.integers(30, 60)), int(rng.integers(8, 14)), (230, 230, 230)
    if mark == "cross":
        cv2.line(image, (x - size, y - size), (x + size, y + size), chalk, pen)
        cv2.line(image, (x - size, y + size), (x + size, y - size), chalk, pen)
    else:
        cv2.circle(image, (x, y), size, chalk, pen)
    noisy = image + rng.normal(0, 3, image.shape)
    return Frame(np.clip(noisy, 0, 255).astype(np.uint8), 0, 0.0, "drawn")


def slates(mark: str, count: int, seed: int) -> Iterator[Frame]:
    rng = np.random.default_rng(seed)
    return (marked(mark, rng) for _ in range(count))


def test_a_fourth_subject_is_recorded_trained_and_recognized(
    tmp_path: Path, slate: SlateSubject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(paths.CAPTURES_VARIABLE, str(tmp_path / "captures"))
    shutil.copytree(paths.ROOT / "models" / "digits", tmp_path / "models" / "digits")
    assert cli.main(["tasks", "new", "marks", "--subject", "slate", "--labels", ",".join(MARKS)]) == 0
    assert "Created marks (slate): cross, ring" in capsys.readouterr().out
    models, store = open_models(tmp_path / "models"), default_samples()
    with open_pipeline("marks", models, store, smooth=True) as pipeline:
        seen = pipeline.step(next(slates("ring", 1, seed=1)))
        assert (len(seen.regions), seen.text) == (1, ""), "the mark is detected, but has no label before training"
        for seed, mark in enumerate(MARKS):
            captured = capture(store, "marks", mark, slates(mark, 12, seed), pipeline.finder, every=1)
            assert captured.saved >= 6
    assert learn.learn(LearnSettings("marks", models=models), lambda *_: None) is not None
    assert '"region": "slate"' in (models.current("marks") / "card.json").read_text()
    with open_pipeline("marks", models, store, smooth=False) as pipeline:
        assert pipeline.subject is slate
        read = [pipeline.step(frame).text for mark in MARKS for frame in slates(mark, 10, seed=9)]
    assert (read[:10].count("cross"), read[10:].count("ring")) >= (9, 9)


def test_a_fourth_subject_is_inferred_from_pictures(
    tmp_path: Path, slate: SlateSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in SUBJECTS.values():
        if other is not slate and not other.is_whole_picture:
            monkeypatch.setattr(type(other), "open_finder", lambda self, **options: EmptyFinder())
    (tmp_path / "ring").mkdir()
    for number, frame in enumerate(slates("ring", 3, seed=0)):
        cv2.imwrite(str(tmp_path / "ring" / f"{number}.png"), frame.image_bgr)
    assert import_pictures.detect_subject(tmp_path) == "slate"


class EmptyFinder(RegionFinder):
    def find(self, frame: Frame) -> tuple[Region, ...]:
        return ()


def test_the_error_for_an_unknown_subject_lists_the_subjects(tmp_path: Path) -> None:
    choices = "Choose one of hand, paper, box"
    with pytest.raises(SubjectError, match=f"There is no subject 'foot'. {choices}"):
        subject_of("foot")
    with pytest.raises(SamplesError, match=choices):
        Samples(tmp_path / "captures").create_task("feet", "foot", ["left"])
    with pytest.raises(SettingsError, match="foot is not one of hand, paper, box"):
        LearnSettings("feet", subject="foot")
    version = tmp_path / "models" / "digits" / "1"
    version.mkdir(parents=True)
    (version / "card.json").write_text('{"labels": ["a"], "region": "foot"}')
    (version.parent / "current.json").write_text('{"version": "1"}')
    with pytest.raises(ModelError, match=choices):
        open_pipeline("digits", ModelStore(tmp_path / "models"), default_samples(), smooth=False)


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_every_subject_can_classify_its_warm_up_region(subject: Subject) -> None:
    region = subject.warm_up_region()
    prepared = subject.prepare(region)
    (prediction,) = UntrainedClassifier(subject).predict([prepared])
    assert prediction.label is None
    assert prediction.image.shape == (pictures.SIDE, pictures.SIDE)
    assert not subject.lacks_joints(region)
    assert subject.text([region], [prediction]) == ""


def test_the_keys_of_subjects_differ() -> None:
    assert len({subject.key for subject in SUBJECTS.values()}) == len(SUBJECTS)


def test_no_code_outside_of_subjects_depends_on_their_names() -> None:
    """Other code calls methods of the subject: it does not compare its name or use it as a key."""
    found = []
    for package in ("recognizer", "training", "benchmarks"):
        for path in sorted((paths.ROOT / package).rglob("*.py")):
            if path.parent != paths.ROOT / "recognizer" / "subjects":
                lines = _lines_with_names(ast.parse(path.read_text(encoding="utf-8")))
                found += [f"{path.relative_to(paths.ROOT)}:{line}" for line in lines]
    assert found == []


def _lines_with_names(tree: ast.AST) -> Iterator[int]:
    """Lines with a comparison to the name of a subject, or with a dictionary whose keys are such names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            values = [node.left, *node.comparators]
            values += [element for value in values if isinstance(value, ast.Tuple | ast.List) for element in value.elts]
            least = 1
        elif isinstance(node, ast.Dict):
            values = [key for key in node.keys if key is not None]
            least = max(2, len(values))  # one with other keys too, such as a JSON object, is about something else
        elif isinstance(node, ast.MatchValue):
            values, least = [node.value], 1
        else:
            continue
        if sum(isinstance(value, ast.Constant) and value.value in SUBJECTS for value in values) >= least:
            yield node.lineno


@pytest.mark.parametrize(
    "code", ['task.subject == "paper"', '"box" != name', 'name in ("hand", "paper")', '{"hand": 1, "box": 2}[name]']
)
def test_code_that_depends_on_the_name_of_a_subject_is_found(code: str) -> None:
    assert [*_lines_with_names(ast.parse(code))] == [1]
