"""The three lines of Python: what they give, what they refuse, and that they are documented."""

import doctest
import inspect
import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import recognizer
from recognizer import Recognizer, api
from recognizer.errors import ModelError, SettingsError, SourceError
from recognizer.registry.store import ModelStore
from recognizer.sinks.png import write_png
from recognizer.studio.scenes import Studio
from recognizer.values import Observation

PAGE = Path(recognizer.__file__).parent.parent / "docs" / "python.md"
HEAVY = ("numpy", "cv2", "mediapipe", "tensorflow")


@pytest.fixture(scope="module")
def drawn_bgr() -> np.ndarray:
    return Studio("digits").frame(36).image_bgr


def public_names() -> list[str]:
    """What the module lists, and the public methods of its classes, as Class.method."""
    names = []
    for name in api.__all__:
        names.append(name)
        names += [f"{name}.{method}" for method in vars(getattr(api, name)) if not method.startswith("_")]
    return names


def public_object(name: str) -> object:
    found: object = api
    for part in name.split("."):
        found = getattr(found, part)
    return found


def example_runs(test: doctest.DocTest) -> None:
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_the_documentation_lists_all_public_names() -> None:
    headings = re.findall(r"^##+ (Recognizer\S*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == public_names()
    assert recognizer.__all__ == api.__all__


@pytest.mark.parametrize("name", public_names())
def test_a_public_docstring_names_its_arguments_and_has_an_example(name: str) -> None:
    documented = public_object(name)
    text = inspect.getdoc(documented) or ""
    parameters = [one for one in inspect.signature(documented).parameters if one != "self"]  # type: ignore[arg-type]
    assert text
    if parameters:
        assert "Args:" in text
        assert "Example:" in text
        assert [one for one in parameters if f"{one}:" not in text] == []


@pytest.mark.usefixtures("published_models")
@pytest.mark.parametrize("test", doctest.DocTestFinder(exclude_empty=True).find(api), ids=lambda test: test.name)
def test_the_examples_of_the_docstrings_run(test: doctest.DocTest) -> None:
    example_runs(test)


@pytest.mark.usefixtures("published_models")
def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_bgr: np.ndarray) -> None:
    write_png(tmp_path / "sheet.png", drawn_bgr)
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    example_runs(doctest.DocTestParser().get_doctest(text.replace("```", ""), {}, PAGE.name, str(PAGE), 0))


def test_the_page_lists_every_example() -> None:
    linked = re.findall(r"\]\(\.\./(examples/\S+)\)", PAGE.read_text(encoding="utf-8"))
    there = [path.relative_to(PAGE.parent.parent).as_posix() for path in PAGE.parent.parent.glob("examples/*.py")]
    assert sorted(linked) == sorted(there)


def test_an_import_of_the_package_loads_nothing_heavy() -> None:
    program = f"import sys, recognizer; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=PAGE.parent.parent, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_package_has_no_other_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        recognizer.Recogniser  # type: ignore[attr-defined]  # noqa: B018


def test_a_path_and_its_array_are_read_the_same(
    tmp_path: Path, published_models: ModelStore, drawn_bgr: np.ndarray
) -> None:
    write_png(tmp_path / "sheet.png", drawn_bgr)
    before = drawn_bgr.copy()
    with Recognizer("digits", models=published_models.folder) as reader:
        of_array, of_path = reader.read(drawn_bgr), reader.read(str(tmp_path / "sheet.png"))
    assert of_array.text == of_path.text == "006"
    assert len(of_array.regions) == len(of_array.predictions) == 3
    assert of_path.frame.name.endswith("sheet.png")
    assert np.array_equal(drawn_bgr, before)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["grey", "BGRA", "float", "empty"],
)
def test_an_array_of_another_shape_or_type_is_rejected_in_one_line(
    array: np.ndarray, published_models: ModelStore
) -> None:
    with Recognizer("digits", models=published_models.folder) as reader:
        with pytest.raises(SourceError, match=r"is no picture\. Give \(height, width, 3\) uint8") as refused:
            reader.read(array)
    assert "\n" not in str(refused.value)


def test_a_picture_of_another_type_is_rejected_in_one_line(published_models: ModelStore) -> None:
    with Recognizer("digits", models=published_models.folder) as reader:
        with pytest.raises(SourceError, match="NoneType is no picture"):
            reader.read(None)  # type: ignore[arg-type]  # what cv2.imread gives for a file that it cannot read


def test_a_missing_task_model_or_source_is_reported_in_one_line(tmp_path: Path, published_models: ModelStore) -> None:
    with Recognizer("digits", models=published_models.folder) as reader:
        with pytest.raises(SourceError, match="not there"):
            reader.read(tmp_path / "none.png")
        with pytest.raises(SourceError, match="There is no file or folder"):
            next(reader.watch(tmp_path / "none.mp4"))
    with Recognizer("nothing-like-it", models=published_models.folder) as reader:
        with pytest.raises(SettingsError, match="There is no task 'nothing-like-it'"):
            next(reader.watch("studio"))
    with (
        Recognizer("digits", models=tmp_path) as reader,
        pytest.raises(ModelError, match="There is no model for the task"),
    ):
        reader.read(tmp_path / "none.png")


def test_frames_of_a_source_come_in_order_until_it_ends(
    tmp_path: Path, published_models: ModelStore, drawn_bgr: np.ndarray
) -> None:
    for name in ("1.png", "2.png", "10.png"):
        write_png(tmp_path / name, drawn_bgr)
    with Recognizer("digits", models=published_models.folder) as reader:
        seen = list(reader.watch(tmp_path))
    assert [Path(one.frame.name).name for one in seen] == ["1.png", "2.png", "10.png"]
    assert [one.frame.index for one in seen] == [0, 1, 2]
    assert all(isinstance(one, Observation) for one in seen)


def test_leaving_the_with_closes_the_watched_source(published_models: ModelStore) -> None:
    with Recognizer("digits", models=published_models.folder) as reader:
        watching = reader.watch("studio", size_wh=(320, 240))
        seen = list(itertools.islice(watching, 2))
        assert seen[0].frame.image_bgr.shape == (240, 320, 3)
    assert next(watching, None) is None
    reader.close()
