"""Reading and writing the clipboard with the programs of the system."""

import os
from pathlib import Path

import pytest

from recognizer.system.clipboard import clipboard_text, copy_text


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_the_first_program_that_answers_gives_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert clipboard_text("linux") is None, "none is installed"
    for name, script in (("wl-paste", "exit 1"), ("xclip", "echo 你好"), ("xsel", "echo other")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    assert clipboard_text("linux") == "你好"
    (tmp_path / "xclip").unlink()
    (tmp_path / "xsel").unlink()
    assert clipboard_text("linux") == "", "it has nothing to paste"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_the_first_program_that_works_gets_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    copied = tmp_path / "copied"
    for name, script in (("wl-copy", "exit 1"), ("xclip", f'/bin/cat > "{copied}"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    assert copy_text("你好 fiets", "linux")
    assert copied.read_text(encoding="utf-8") == "你好 fiets"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert not copy_text("a", "linux")
