"""The README's commands are commands, and what it links to is there."""

import functools
import os
import re
import shlex
import subprocess
import sys

import pytest

from recognizer.system import paths
from tests.helpers.waiting import HANG_S

README = paths.ROOT / "README.md"
if not README.is_file():
    pytest.skip("there is no README.md", allow_module_level=True)
TEXT = README.read_text(encoding="utf-8")

OTHER_MODULES = {"venv", "pip", "pytest"}  # python -m …, whose options are not this project's


def fenced_lines(text):
    """The lines inside ``` blocks, with those that end in a backslash joined to the next."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def python_commands(text):
    """The words behind `python` of each command of the fenced blocks, such as ["-m", "recognizer", "doctor"]."""
    found = []
    for line in fenced_lines(text):
        line = line.removeprefix("$ ").replace("\\", "/")
        for command in re.split(r"&&|\|\||[;|]", line):
            try:
                words = shlex.split(command, comments=True)
            except ValueError:  # a quotation mark of prose or of code: no command line
                continue
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words = words[1:]
            if words and re.fullmatch(r"(py|python[\d.]*)(\.exe)?", words[0].rpartition("/")[2]):
                found.append(tuple(words[1:]))
    return list(dict.fromkeys(found))


COMMANDS = python_commands(TEXT)


def project_words(words):
    """The module and its words that a command runs, or None where it runs nothing of the project."""
    if words[:1] == ("start.py",):
        return None if words[1:2] == ("test",) else ("recognizer", *words[1:])
    if words[:1] == ("-m",) and words[1] not in OTHER_MODULES:
        return words[1:]
    return None


def is_handed_to_training(words):
    """Whether another process answers the words, even --help."""
    return words[:2] == ("recognizer", "learn") or words[1:2] in (("train",), ("evaluate",), ("workshop",))


@functools.cache
def help_of(module, *words):
    """What the command prints when it is given --help behind its own words, which must make sense to it."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words, "--help"],
        cwd=paths.ROOT,
        env={**os.environ, "PYTHONPATH": str(paths.ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=HANG_S,
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
    return done.stdout


def test_the_two_commands_are_there():
    assert ("start.py",) in COMMANDS
    assert ("start.py", "test") in COMMANDS


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_is_one(words):
    """Its file or module is there, takes its words, and knows its flags."""
    if words and words[0].endswith(".py"):
        assert (paths.ROOT / words[0]).is_file()
    command = project_words(words)
    if command is None:
        assert words[0] == "start.py" or words[1] in OTHER_MODULES
        return
    if is_handed_to_training(command) and not (paths.ROOT / "training" / "__main__.py").is_file():
        pytest.skip("training has no command line here")
    text = help_of(*command)
    for word in command[1:]:
        if re.match(r"--?[a-z]", word):
            flag = word.partition("=")[0]
            assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text), f"{flag} is no flag of {command[0]}"


def links(text):
    """What the text links to or shows, without what stands in code."""
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", prose) + re.findall(r"(?:src|href)=\"([^\"]+)\"", prose)
    targets += re.findall(r"^\[[^\]]+\]:\s*(\S+)", prose, flags=re.MULTILINE)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text):
    """The names under which headings can be linked to."""
    headings = re.findall(r"^#+\s+(.*?)\s*$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("target", sorted(set(links(TEXT))))
def test_what_is_linked_to_is_there(target):
    file, _, anchor = target.partition("#")
    if file:
        assert (paths.ROOT / file).exists()
    else:
        assert anchor in anchors(TEXT)


def test_commands_are_found_in_all_their_shapes():
    """The reader of this file, on a README of its own: else a README written otherwise would pass unread."""
    text = """
Run `python3 no.py` in prose.

```sh
$ python3 start.py --source studio   # the studio
RECOGNIZER_MODELS=other python -m recognizer read a.png --json && python3.12 start.py test
.venv\\Scripts\\python -m pip install -r requirements.txt
python -m recognizer train digits \\
    --epochs 3
echo python
```
"""
    assert python_commands(text) == [
        ("start.py", "--source", "studio"),
        ("-m", "recognizer", "read", "a.png", "--json"),
        ("start.py", "test"),
        ("-m", "pip", "install", "-r", "requirements.txt"),
        ("-m", "recognizer", "train", "digits", "--epochs", "3"),
    ]
    assert links('[a](b.md) ![c](d.png) `[e](f)` [g](https://h) <img src="i.gif">') == ["b.md", "d.png", "i.gif"]
    assert anchors("# Try it\n## How well, honestly?") == {"try-it", "how-well-honestly"}
