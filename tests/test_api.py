"""The Python API: results, errors and documentation."""

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
    """The names in __all__, and the public methods of their classes, as Class.method."""
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


def run_doctest(test: doctest.DocTest) -> None:
    runner = doctest.DocTestRunner(verbose=False)
    output: list[str] = []
    runner.run(test, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)


def test_the_documentation_lists_all_public_names() -> None:
    headings = re.findall(r"^##+ (Recognizer\S*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == public_names()
    assert recognizer.__all__ == api.__all__


@pytest.mark.parametrize("name", public_names())
def test_a_public_docstring_names_its_arguments_and_has_an_example(name: str) -> None:
    documented = public_object(name)
    text = inspect.getdoc(documented) or ""
    parameters = [name for name in inspect.signature(documented).parameters if name != "self"]  # type: ignore[arg-type]
    assert text
    if parameters:
        assert "Args:" in text
        assert "Example:" in text
        assert [parameter for parameter in parameters if f"{parameter}:" not in text] == []


@pytest.mark.usefixtures("published_models")
@pytest.mark.parametrize("test", doctest.DocTestFinder(exclude_empty=True).find(api), ids=lambda test: test.name)
def test_the_examples_of_the_docstrings_run(test: doctest.DocTest) -> None:
    run_doctest(test)


@pytest.mark.usefixtures("published_models")
def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_bgr: np.ndarray) -> None:
    write_png(tmp_path / "sheet.png", drawn_bgr)
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    run_doctest(doctest.DocTestParser().get_doctest(text.replace("```", ""), {}, PAGE.name, str(PAGE), 0))


def test_the_page_lists_every_example() -> None:
    linked = re.findall(r"\]\(\.\./(examples/\S+)\)", PAGE.read_text(encoding="utf-8"))
    existing = [path.relative_to(PAGE.parent.parent).as_posix() for path in PAGE.parent.parent.glob("examples/*.py")]
    assert sorted(linked) == sorted(existing)


def test_importing_the_package_imports_no_heavy_package() -> None:
    program = f"import sys, recognizer; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=PAGE.parent.parent, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_an_unknown_attribute_of_the_package_raises_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        recognizer.Recogniser  # type: ignore[attr-defined]  # noqa: B018


def test_a_file_and_its_array_have_the_same_predictions(
    tmp_path: Path, published_models: ModelStore, drawn_bgr: np.ndarray
) -> None:
    write_png(tmp_path / "sheet.png", drawn_bgr)
    before = drawn_bgr.copy()
    with Recognizer("digits", models=published_models.folder) as digits:
        from_array, from_path = digits.read(drawn_bgr), digits.read(str(tmp_path / "sheet.png"))
    assert from_array.text == from_path.text == "006"
    assert len(from_array.regions) == len(from_array.predictions) == 3
    assert from_path.frame.name.endswith("sheet.png")
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
def test_an_array_of_another_shape_or_dtype_raises_a_one_line_error(
    array: np.ndarray, published_models: ModelStore
) -> None:
    with Recognizer("digits", models=published_models.folder) as digits:
        with pytest.raises(SourceError, match=r"is no picture\. Give \(height, width, 3\) uint8") as refused:
            digits.read(array)
    assert "\n" not in str(refused.value)


def test_a_picture_of_another_type_raises_an_error(published_models: ModelStore) -> None:
    with Recognizer("digits", models=published_models.folder) as digits:
        with pytest.raises(SourceError, match="NoneType is no picture"):
            digits.read(None)  # type: ignore[arg-type]  # cv2.imread returns None for a file that it cannot read


def test_a_missing_task_model_or_source_raises_an_error(tmp_path: Path, published_models: ModelStore) -> None:
    with Recognizer("digits", models=published_models.folder) as digits:
        with pytest.raises(SourceError, match="not there"):
            digits.read(tmp_path / "none.png")
        with pytest.raises(SourceError, match="There is no file or folder"):
            next(digits.watch(tmp_path / "none.mp4"))
    with Recognizer("nothing-like-it", models=published_models.folder) as unknown:
        with pytest.raises(SettingsError, match="There is no task 'nothing-like-it'"):
            next(unknown.watch("studio"))
    with (
        Recognizer("digits", models=tmp_path) as digits,
        pytest.raises(ModelError, match="There is no model for the task"),
    ):
        digits.read(tmp_path / "none.png")


def test_frames_of_a_source_come_in_order_until_it_ends(
    tmp_path: Path, published_models: ModelStore, drawn_bgr: np.ndarray
) -> None:
    for name in ("1.png", "2.png", "10.png"):
        write_png(tmp_path / name, drawn_bgr)
    with Recognizer("digits", models=published_models.folder) as digits:
        seen = list(digits.watch(tmp_path))
    assert [Path(observation.frame.name).name for observation in seen] == ["1.png", "2.png", "10.png"]
    assert [observation.frame.index for observation in seen] == [0, 1, 2]
    assert all(isinstance(observation, Observation) for observation in seen)


def test_the_end_of_the_with_block_closes_the_watched_source(published_models: ModelStore) -> None:
    with Recognizer("digits", models=published_models.folder) as digits:
        watching = digits.watch("studio", size_wh=(320, 240))
        seen = list(itertools.islice(watching, 2))
        assert seen[0].frame.image_bgr.shape == (240, 320, 3)
    assert next(watching, None) is None
    digits.close()
