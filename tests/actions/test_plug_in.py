"""The plug-in of docs/actions.md is installed and runs; plug-ins that are broken are named."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recognizer.actions import catalogue
from recognizer.actions.action import ActionError
from recognizer.actions.action_file import parse_actions
from recognizer.system import paths
from tests.helpers.firings import a_firing, working

BLOCK = '[[action]]\non = "*"\ndo = "{}"\n'


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which installed packages are found."""
    monkeypatch.syspath_prepend(tmp_path / "installed")
    catalogue.plug_in_names.cache_clear()
    yield tmp_path / "installed"
    catalogue.plug_in_names.cache_clear()
    sys.modules.pop("recognizer_diary", None)


def test_the_plug_in_of_the_page_is_installed_and_runs(tmp_path: Path, on_path: Path) -> None:
    page = (paths.ROOT / "docs" / "actions.md").read_text(encoding="utf-8").partition("## A kind of your own")[2]
    blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    source = tmp_path / "diary"
    source.mkdir()
    (source / "recognizer_diary.py").write_text(blocks["py"], encoding="utf-8")
    (source / "pyproject.toml").write_text(blocks["toml"], encoding="utf-8")
    assert len([line for line in blocks["py"].splitlines() if line]) == 10
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(on_path)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True, timeout=600)

    assert catalogue.plug_in_names() == ("diary",)
    text = BLOCK.format("diary") + f"file = '{tmp_path / 'diary.txt'}'\n"
    (rule,) = parse_actions(text.encode(), "my.toml")
    assert rule.describe() == f"any sign, appeared: append to {tmp_path / 'diary.txt'}"
    with working(rule.action) as (worker, lines):
        worker.put(a_firing())
    assert ((tmp_path / "diary.txt").read_text(), lines) == ("rock 0.97\n", [])
    with pytest.raises(ActionError, match=r'line 3: do = "diary" needs file: a text'):
        parse_actions(BLOCK.format("diary").encode(), "my.toml")


def install(folder: Path, name: str, value: str) -> None:
    """Name an entry point, as an installed package does."""
    info = folder / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[recognizer.actions]\n{name} = {value}\n")


def test_a_plug_in_that_cannot_be_used_is_named(on_path: Path) -> None:
    install(on_path, "gone", "no_such_module:Kind")
    install(on_path, "other", "pathlib:Path")
    install(on_path, "key", "pathlib:Path")  # cannot take the place of a kind that is built in
    install(on_path, "strange", "recognizer_strange:Strange")
    (on_path / "recognizer_strange.py").write_text(
        "from dataclasses import dataclass\nfrom recognizer.actions.action import Action\n@dataclass\n"
        "class Strange(Action):\n    when_s: complex = 0\n    def describe(self): return 'x'\n"
    )
    for name, message in (
        ("gone", "line 3: the plug-in no_such_module:Kind cannot be loaded"),
        ("other", "line 3: the plug-in pathlib:Path is no class of recognizer.actions.action.Action"),
        ("strange", "the plug-in's key when_s has a type that no file can give"),
    ):
        text = BLOCK.format(name) + ("when_s = 1" if name == "strange" else "")
        with pytest.raises(ActionError, match=message):
            parse_actions(text.encode(), "my.toml")
    assert catalogue.plug_in_names() == ("gone", "other", "strange")
    parse_actions((BLOCK.format("key") + 'keys = "a"').encode(), "my.toml")
