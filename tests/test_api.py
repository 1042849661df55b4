"""The Python API: results, errors and documentation."""

import doctest
import inspect
import itertools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import recognizer
from recognizer import Reading, Recognizer, RecognizerError, api
from recognizer.commands import read
from recognizer.errors import ModelError, SamplesError, SettingsError, SourceError, TrainingError
from recognizer.registry.card import write_checksums
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models
from recognizer.samples.synced import default_samples
from recognizer.sinks.png import write_png
from recognizer.studio.scenes import Studio
from recognizer.system import paths
from tests.helpers.drawing import middle_of_card

PAGE = Path(recognizer.__file__).parent.parent / "docs" / "python.md"
HEAVY = ("numpy", "cv2", "mediapipe", "tensorflow")


@pytest.fixture(scope="module")
def drawn_bgr() -> np.ndarray:
    return Studio("digits").frame(36).image_bgr


def public_names() -> list[str]:
    """The names in __all__, and the public methods and properties of their classes, as Class.method."""
    names = []
    for name in api.__all__:
        names.append(name)
        members = vars(getattr(api, name)).items()
        names += [f"{name}.{member}" for member, value in members if not member.startswith("_") and is_method(value)]
    return names


def is_method(value: object) -> bool:
    return inspect.isfunction(value) or isinstance(value, property | classmethod)


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
    headings = re.findall(r"^### (\S+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == public_names()
    assert (
        recognizer.__all__
        == api.__all__
        == ["Event", "LabelledRegion", "Reading", "Recognizer", "RecognizerError", "TrainingResult", "events"]
    )
    assert dir(recognizer) == recognizer.__all__
    assert all(getattr(recognizer, name) is vars(api)[name] for name in recognizer.__all__)


@pytest.mark.parametrize("name", public_names())
def test_a_public_docstring_names_its_arguments_and_has_an_example(name: str) -> None:
    documented = public_object(name)
    text = inspect.getdoc(documented) or ""
    assert text
    if not callable(documented) or documented is RecognizerError:
        return
    parameters = [name for name in inspect.signature(documented).parameters if name not in ("self", "args", "kwargs")]
    if parameters:
        assert "Args:" in text or "Attributes:" in text
        assert "Example:" in text
        assert [parameter for parameter in parameters if f"{parameter}:" not in text] == []


@pytest.mark.usefixtures("published_models")
@pytest.mark.parametrize("test", doctest.DocTestFinder(exclude_empty=True).find(api), ids=lambda test: test.name)
def test_the_examples_of_the_docstrings_run(test: doctest.DocTest) -> None:
    run_doctest(test)


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hand_models: ModelStore) -> Path:
    """An empty working folder. What is trained and recorded goes into folders of its own, beside copies of the models."""
    keras = shutil.ignore_patterns("assets", "model.keras")
    models = shutil.copytree(hand_models.folder, tmp_path / "models", ignore=keras)
    for path in models.glob("*/*/card.json"):
        write_checksums(path.parent)
    monkeypatch.setenv(paths.MODELS_VARIABLE, str(models))
    monkeypatch.setenv(paths.CAPTURES_VARIABLE, str(tmp_path / "captures"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def draw_signs(folder: Path, names: dict[str, str], *, shows: int = 2, frames: int = 3) -> Path:
    """Write the studio's hands into label folders, by the names that its signs get. Return the first picture of the last.

    Each sign is shown several times; `shows` of them are used, and `frames` pictures of each.
    """
    studio = Studio("rps", (640, 480))
    cards = [(card, studio.frame(middle_of_card(card)).truth[0].label) for card in range(12)]
    for sign, label in names.items():
        for card in [card for card, shown in cards if shown == sign][:shows]:
            for number in range(frames):
                write_png(
                    folder / label / f"{card:02}-{number}.png", studio.frame(middle_of_card(card) + number).image_bgr
                )
    return min((folder / label).iterdir())


def draw_crosses(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(8):
        cross = np.full((300, 300, 3), 235, np.uint8)
        (x, y), half = rng.integers(130, 170, 2).tolist(), int(rng.integers(50, 70))
        cv2.line(cross, (x - half, y), (x + half, y), (30, 30, 30), 12, cv2.LINE_AA)
        cv2.line(cross, (x, y - half), (x, y + half), (30, 30, 30), 12, cv2.LINE_AA)
        write_png(folder / f"{number}.png", cross)


@pytest.mark.parametrize("teaches", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["read", "and teach"])
def test_the_examples_of_the_page_run(teaches: bool, own_folders: Path, drawn_bgr: np.ndarray) -> None:
    for name in ("sheet.png", "photos/1.png", "photos/2.png"):
        write_png(own_folders / name, drawn_bgr)
    shutil.copyfile(draw_signs(own_folders / "signs", {"rock": "hello", "paper": "stop"}), own_folders / "hand.png")
    draw_crosses(own_folders / "ink" / "plus")
    text = PAGE.read_text(encoding="utf-8").replace("```", "")
    if not teaches:
        text = text[: text.index("**8.")] + text[text.index("**10.") :]
    run_doctest(doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0))


def test_the_page_shows_eleven_things() -> None:
    assert re.findall(r"^\*\*(\d+)\.", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == [str(n) for n in range(1, 12)]


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


def test_every_form_of_a_picture_is_read_alike(
    tmp_path: Path, published_models: ModelStore, drawn_bgr: np.ndarray
) -> None:
    path = tmp_path / "sheet.png"
    write_png(path, drawn_bgr)
    before = drawn_bgr.copy()
    drawn_rgb = cv2.cvtColor(drawn_bgr, cv2.COLOR_BGR2RGB)
    with Recognizer("digits", models=published_models.folder) as digits:
        from_path = digits.read(path)
        forms = [str(path), path.read_bytes(), bytearray(path.read_bytes()), drawn_bgr, Image.fromarray(drawn_rgb)]
        readings = [digits.read(form) for form in forms] + [digits.read(drawn_rgb, channels="rgb")]
        from_file = digits.read(Image.open(path))
    assert from_path.text == "006"
    assert [reading.regions for reading in readings] == [from_path.regions] * len(readings)
    assert [reading.name for reading in readings] == [str(path), *["picture"] * 5]
    assert from_file.name == from_path.name == str(path)
    assert all(np.array_equal(reading.image_bgr, drawn_bgr) for reading in [*readings, from_file])
    assert np.array_equal(drawn_bgr, before)


def test_a_reading_is_what_the_command_prints_as_json(
    tmp_path: Path, published_models: ModelStore, drawn_bgr: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    write_png(tmp_path / "sheet.png", drawn_bgr)
    words = [str(tmp_path / "sheet.png"), "--json", "--models", str(published_models.folder)]
    assert read.run(words) == 0
    printed = json.loads(capsys.readouterr().out)
    reading = Recognizer("digits", models=published_models.folder).read(tmp_path / "sheet.png")
    assert {"file": reading.name, **reading.as_json()} == printed
    assert reading.labels == ("0", "0", "6")
    for region, expected in zip(reading.regions, printed["regions"], strict=True):
        assert (region.label, region.confidence) == (expected["label"], expected["confidence"])
        assert (list(region.box), [list(one) for one in region.top]) == (expected["box"], expected["top"])
        assert (region.turn, region.hand) == (None, None)
    box = reading.regions[0].box
    assert repr(reading).startswith(f"Reading('006', regions=(\n  LabelledRegion('0', 1, box={box}),\n")
    assert str(reading) == "006"


def test_an_empty_picture_has_an_empty_reading(published_models: ModelStore) -> None:
    reading = Recognizer("digits", models=published_models.folder).read(np.full((200, 200, 3), 128, np.uint8))
    assert (reading.text, reading.regions, repr(reading)) == ("", (), "Reading('', regions=())")


def test_a_turned_photo_of_pillow_is_read_upright(
    tmp_path: Path, published_models: ModelStore, drawn_bgr: np.ndarray
) -> None:
    """Its orientation is in the Exif data, which Pillow does not apply by itself."""
    upright = Image.fromarray(cv2.cvtColor(drawn_bgr, cv2.COLOR_BGR2RGB))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    digits = Recognizer("digits", models=published_models.folder)
    assert digits.read(Image.open(tmp_path / "turned.png")).text == digits.read(tmp_path / "turned.png").text == "006"


def test_damaged_bytes_and_images_raise_a_one_line_error(tmp_path: Path, published_models: ModelStore) -> None:
    digits = Recognizer("digits", models=published_models.folder)
    with pytest.raises(SourceError, match="is not a picture") as refused:
        digits.read(b"no picture")
    assert "\n" not in str(refused.value)
    Image.new("RGB", (300, 300)).save(tmp_path / "half.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "half.png").read_bytes()[:100])
    with pytest.raises(SourceError, match=r"half\.png is not a picture that can be read") as refused:
        digits.read(Image.open(tmp_path / "half.png"))
    assert "\n" not in str(refused.value)
    with pytest.raises(SourceError, match="no order of channels 'gbr'"):
        digits.read(np.zeros((4, 4, 3), np.uint8), channels="gbr")  # type: ignore[arg-type]


def test_three_lines_without_a_with_end_cleanly(
    published_models: ModelStore, tmp_path: Path, hand_models: ModelStore
) -> None:
    """MediaPipe prints errors if the program ends while it runs."""
    picture = draw_signs(tmp_path, {"paper": "paper"}, shows=1, frames=1)
    program = f"from recognizer import Recognizer\nsigns = Recognizer('rps')\nprint(signs.read({str(picture)!r}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PAGE.parent.parent, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("paper\n", "", 0)


def test_learning_reports_its_progress_and_the_next_reading_uses_the_new_model(own_folders: Path) -> None:
    picture = draw_signs(own_folders / "signs", {"rock": "hello", "paper": "stop"}, shows=1, frames=1)
    greetings = Recognizer.new("greetings", subject="hand", labels=["hello", "stop"])
    assert repr(greetings) == "Recognizer('greetings')"
    assert greetings.labels == ("hello", "stop")
    assert greetings.read(picture).labels == (None,)
    reports: list[tuple[str, float]] = []
    result = greetings.learn("signs", progress=lambda stage, share: reports.append((stage, share)))
    assert (result.published, result.accuracy, result.accuracy_before) == (True, None, None)
    assert result.version == default_models().current("greetings").name
    assert reports
    assert all(0 <= share <= 1 for _, share in reports)
    assert greetings.read(picture).text == "stop"
    again = greetings.learn()
    assert (again.published, again.version) == (False, None)
    assert again.reason == "one sample a label: none is left for validation, so the current model stays"
    with pytest.raises(SamplesError, match="exists already"):
        Recognizer.new("greetings", subject="hand", labels=["hello"])


def test_a_training_that_cannot_be_done_raises_its_one_line_error(own_folders: Path) -> None:
    lonely = Recognizer.new("lonely", subject="hand", labels=["hello"], sides=True)
    assert [task.sides for task in default_samples().tasks() if task.name == "lonely"] == [True]
    with pytest.raises(SamplesError, match="is not a folder"):
        lonely.learn("missing")
    draw_signs(own_folders / "signs", {"rock": "hello"}, shows=1, frames=1)
    with pytest.raises(TrainingError, match="training needs two labels") as refused:
        lonely.learn("signs")
    assert "\n" not in str(refused.value)
    with pytest.raises(SettingsError, match="nothing-like-it"):
        Recognizer("nothing-like-it").read(np.zeros((4, 4, 3), np.uint8))


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
        with pytest.raises(SourceError, match=r"is no picture\. Give .* \(height, width, 3\) uint8") as refused:
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
    assert [Path(reading.name).name for reading in seen] == ["1.png", "2.png", "10.png"]
    assert [reading.index for reading in seen] == [0, 1, 2]
    assert all(isinstance(reading, Reading) for reading in seen)


def test_the_end_of_the_with_block_closes_the_watched_source(published_models: ModelStore) -> None:
    with Recognizer("digits", models=published_models.folder) as digits:
        watching = digits.watch("studio", size_wh=(320, 240))
        seen = list(itertools.islice(watching, 2))
        assert seen[0].image_bgr.shape == (240, 320, 3)
    assert next(watching, None) is None
    digits.close()
