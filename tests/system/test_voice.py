"""The system's voice, with stand-ins for its programs."""

import os
from pathlib import Path

import pytest

from recognizer.system.voice import NO_VOICE, say, say_in_background
from tests.helpers.waiting import until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which programs are found first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("recognizer.system.voice.COMMANDS", {"linux": (("no-voice",), ("espeak-ng", "--stdin"))})
    return tmp_path


def add(folder: Path, script: str) -> None:
    (folder / "espeak-ng").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / "espeak-ng").chmod(0o755)


def test_the_text_is_spoken_in_its_language_and_is_never_an_option(programs: Path) -> None:
    add(programs, f'echo "$@" > "{programs}/options"; /bin/cat > "{programs}/text"')
    assert say("--version 5 € kaas", "nl", "linux") == ""
    assert (programs / "options").read_text() == "--stdin -v nl\n"
    assert (programs / "text").read_text(encoding="utf-8") == "--version 5 € kaas"


def test_a_voice_that_fails_or_is_missing_is_one_line(programs: Path) -> None:
    assert say("hello", "en", "linux") == NO_VOICE
    add(programs, "echo no sound card >&2; echo more >&2; exit 3")
    reports: list[str] = []
    say_in_background("hello", "en", reports.append)
    until(lambda: reports == ["espeak-ng did not speak: no sound card"])
