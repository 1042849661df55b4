"""No name from elsewhere leads out of its folder."""

import tempfile
import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recognizer.errors import SamplesError, UnsafeNameError
from recognizer.samples.sample import checked_task_name
from recognizer.system.names import RESERVED, is_safe, is_task_name, path_inside

HOSTILE = (
    "", ".", "..", "../x", "a/../../x", "a/..", "/etc/passwd", "//host/share", "a//b", "a/", "./a",
    "..\\x", "a\\..\\..\\x", "C:\\x", "C:x", "\\\\host\\x", "a:stream", "a\x00b", "a\nb", "\ud800",
    "nul.png", "con", "CON.txt", "Com1", "lpt¹.png", "aux .png", "x/nul/y", "conin$",
    ".bashrc", "a/.git/hooks", "a.", "a ", " a", "...", "a/ ", "x" * 256, "a/" * 600 + "a", "a?b", "a*b",
)  # fmt: skip
GOOD = (
    "a",
    "digits/20261127-193154/model.tflite",
    "rows/x-1-abc.csv",
    "é ü/你好.png",
    "..a".lstrip("."),
    "console.txt",
    "a..b",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    assert not is_safe(name)
    with pytest.raises(UnsafeNameError) as caught:
        path_inside(tmp_path, name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", GOOD)
def test_an_ordinary_name_becomes_a_path_inside_the_folder(tmp_path: Path, name: str) -> None:
    assert path_inside(tmp_path, name) == tmp_path / name


def test_a_symbolic_link_does_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    with pytest.raises(UnsafeNameError, match="leads out"):
        path_inside(tmp_path / "in", "link/x")


PARTS = st.sampled_from(["..", ".", "", "/", "\\", "a", "nul", "C:", "\x00", "~", "%2e%2e", "．．", "․․"]) | st.text(
    max_size=5
)


@given(name=st.lists(PARTS, max_size=8).map("/".join) | st.lists(PARTS, max_size=8).map("".join))
@example(name="a/" + "../" * 40 + "x")
@settings(max_examples=200, deadline=None, database=None, derandomize=True)
def test_no_name_leaves_the_folder(name: str) -> None:
    folder = Path(tempfile.gettempdir()) / "folder"
    try:
        path = path_inside(folder, name)
    except UnsafeNameError:
        return
    assert path.resolve().is_relative_to(folder.resolve())
    assert path != folder
    windows = PureWindowsPath("C:/folder") / name
    assert windows.is_relative_to("C:/folder")
    assert ".." not in windows.parts


@pytest.mark.parametrize("name", ["digits", "my signs", "été", "हिन्दी", "a-b_c"])
def test_a_word_can_be_the_name_of_a_task(name: str) -> None:
    assert is_task_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "-x", "a/b", "..", ".a", "a.b", "assets", "Backbones", *sorted(RESERVED), "x" * 41, "a ", " a", "\ud800"],
)
def test_a_reserved_or_hostile_name_cannot_be_that_of_a_task(name: str) -> None:
    assert not is_task_name(name)


def test_a_name_that_a_mac_decomposed_is_no_task_name() -> None:
    assert is_task_name("\u00e9t\u00e9")
    assert not is_task_name("e\u0301te\u0301")


@given(
    name=st.text(alphabet=st.sampled_from("aZé9- _.\u0301👍\ud800/"), max_size=45)
    | st.sampled_from(["assets", "NUL", "-"])
)
@settings(max_examples=200, deadline=None, database=None, derandomize=True)
def test_samples_and_models_have_one_rule_for_the_names_of_tasks(name: str) -> None:
    composed = unicodedata.normalize("NFC", name)
    try:
        accepted = checked_task_name(name) == composed
    except SamplesError:
        accepted = False
    assert accepted == is_task_name(composed)
