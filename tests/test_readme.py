"""README.md and the other pages: their commands parse, their links resolve, and all commands and variables are documented."""

import argparse
import importlib
import re
import shlex
import sys
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from recognizer import cli
from recognizer.commands import COMMANDS, other_process
from recognizer.sinks.png import write_png
from recognizer.studio.scenes import Studio
from recognizer.system import paths

README = paths.ROOT / "README.md"
if not README.is_file():
    pytest.skip("there is no README.md", allow_module_level=True)

PAGES = [
    README,
    paths.ROOT / "CONTRIBUTING.md",
    paths.ROOT / "CHANGELOG.md",
    *sorted((paths.ROOT / "docs").glob("*.md")),
    *(paths.ROOT / folder / "README.md" for folder in ("data", "models", "training")),
]
TEXTS = {page.relative_to(paths.ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
EVERYTHING = "\n".join(TEXTS.values())

README_LINES = 150
OTHER_MODULES = {"build", "venv", "pip", "pytest"}  # python -m …: their options are not checked
OTHER_PROGRAMS = {
    "docker",
    "curl",
    "git",
    "lint-imports",
    "mypy",
    "pipx",
    "pre-commit",
    "ray",
    "ruff",
    ".",
}  # "." is the shell command
INSTALLED = {"recognizer", "uvx"}  # programs that run the command of the installed package
START_OPTIONS = ("--all", "--offline")  # of start.py, which passes all other words on
START_COMMANDS = (("test",), ("install",), ("pack",))  # commands of start.py itself
PYTHON = r"(py|python[\d.]*)(\.exe)?"
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")


def shell_lines(text):
    """The lines of ``` blocks of shell commands. Lines that end with a backslash are joined to the next."""
    blocks = [block for language, block in FENCED.findall(text) if language.strip() in ("", "sh", "bash", "console")]
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line.removeprefix("$ ") for line in lines if line]


def shell_commands(text):
    """The words of each command in ``` blocks, without environment variables before it."""
    found = []
    for line in shell_lines(text):
        for command in re.split(r"&&|\|\||[;|] ", line.replace(".venv\\Scripts\\", ".venv/Scripts/")):
            words = shlex.split(command, comments=True)
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words = words[1:]
            if words:
                found.append(words)
    return found


def program(words):
    return words[0].rpartition("/")[2] or words[0]


def python_commands(text):
    """The arguments of all python commands, in blocks and in `code`, such as ("-m", "recognizer", "doctor")."""
    inline = [shlex.split(code) for code in INLINE.findall(FENCED.sub("", text)) if re.match(rf"{PYTHON} \S", code)]
    commands = [words for words in shell_commands(text) + inline if re.fullmatch(PYTHON, program(words))]
    installed = [words[words.index("recognizer") :] for words in shell_commands(text) if program(words) in INSTALLED]
    commands += [["python", "-m", *words] for words in installed]
    return list(dict.fromkeys(tuple(words[1:]) for words in commands))


DOCUMENTED = list(dict.fromkeys(words for text in TEXTS.values() for words in python_commands(text)))


def project_words(words):
    """The module that a command runs, and its arguments. None if it runs no module of the project."""
    if words[:1] == ("start.py",):
        words = tuple(word for word in words[1:] if word not in START_OPTIONS)
        return None if words[:1] in START_COMMANDS else ("recognizer", *words)
    if words[:1] == ("-m",) and words[1] not in OTHER_MODULES:
        return words[1:]
    return None


class Parsed(BaseException):
    """Raised when the command line was parsed. A BaseException, so that no `except Exception` catches it."""


@pytest.fixture
def parse(monkeypatch, tmp_path, capsys):
    """A function that runs the real command line of a module until its arguments are parsed."""
    parse_args = argparse.ArgumentParser.parse_args

    def parse_only(self, *args, **kwargs):
        parse_args(self, *args, **kwargs)
        raise Parsed

    def run(module, *words):
        monkeypatch.setattr(sys, "argv", [module, *words])
        if module == "recognizer":
            return cli.main(words)
        has_words = module in ("training", "benchmarks")
        return importlib.import_module(f"{module}.__main__" if has_words else module).main()

    def start(command, **_):  # replaces a child process
        return SimpleNamespace(wait=lambda: run(*command[2:]))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    monkeypatch.setattr(other_process, "subprocess", SimpleNamespace(Popen=start))
    monkeypatch.setenv("RECOGNIZER_SYNC", str(tmp_path))  # the local folder of a URL in a command

    def parse(module, *words):
        try:
            code = run(module, *words)
        except Parsed:
            return
        printed = capsys.readouterr()
        assert code in (0, None), printed.err
        assert "usage:" in printed.out  # a command without its subcommand lists the subcommands

    return parse


def test_the_readme_has_the_two_commands():
    assert ("start.py",) in DOCUMENTED
    assert ("start.py", "test") in DOCUMENTED


@pytest.mark.parametrize("words", DOCUMENTED, ids=" ".join)
def test_each_documented_command_can_be_parsed(words, parse):
    if words and words[0].endswith(".py"):
        assert (paths.ROOT / words[0]).is_file()
    command = project_words(words)
    if command is None:
        assert words[0].endswith(".py") or words[1] in OTHER_MODULES
        return
    parse(*command)


def test_unknown_arguments_are_not_parsed(parse):
    for words in (("read",), ("read", "a.png", "--jsn"), ("learn", "a", "--network", "vgg"), ("workshop", "trian")):
        with pytest.raises((AssertionError, SystemExit)):
            parse("recognizer", *words)


@pytest.mark.parametrize("page", TEXTS)
def test_the_documentation_uses_only_known_programs(page):
    """Without this check, a misspelled program would be skipped."""
    for words in shell_commands(TEXTS[page]):
        assert re.fullmatch(PYTHON, program(words)) or program(words) in OTHER_PROGRAMS | INSTALLED, " ".join(words)


def documented(*words):
    """Whether a command that begins with these words is documented."""
    return any((project_words(command) or ())[1 : 1 + len(words)] == words for command in DOCUMENTED)


@pytest.mark.parametrize("word", COMMANDS)
def test_each_command_and_subcommand_is_documented(word):
    assert documented(word)
    for inner in vars(importlib.import_module(f"recognizer.commands.{word}")).get("SUBCOMMANDS", ()):
        assert documented(word, inner)


def test_every_environment_variable_is_documented():
    sources = [path for package in ("recognizer", "training") for path in (paths.ROOT / package).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    variables = set(re.findall(r"\bRECOGNIZER_[A-Z]+\b", text))
    assert paths.MODELS_VARIABLE in variables
    assert not {name for name in variables if f"`{name}`" not in EVERYTHING}


def test_each_server_path_is_documented_correctly():
    routes = importlib.import_module("recognizer.serve.routes")
    names = [path.stem for path in (paths.ROOT / "recognizer/serve/routes").glob("[!_]*.py")]
    modules = [vars(importlib.import_module(f"{routes.__name__}.{name}")) for name in names]
    routers = [module["router"] for module in modules if "router" in module]
    known = {route.path for router in routers for route in router.routes}
    assert not {path for path in known if path.startswith("/v1/") and path not in TEXTS["docs/serving.md"]}
    used = [urlsplit(word).path for words in shell_commands(EVERYTHING) for word in words if word.startswith("http:")]
    assert set(used) <= known


def test_the_readme_is_short():
    assert len(TEXTS["README.md"].splitlines()) <= README_LINES


PYTHON_BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page, text in TEXTS.items()
    for number, (language, block) in enumerate(FENCED.findall(text))
    if language.strip() == "python" and not block.startswith(">>>")  # test_api.py runs the doctests
]


@pytest.mark.parametrize("block", PYTHON_BLOCKS)
def test_the_python_code_in_the_documentation_runs(block, monkeypatch, tmp_path, capsys):
    code = compile(block.replace("sheet.jpg", (tmp_path / "sheet.png").as_posix()), "block", "exec")
    write_png(tmp_path / "sheet.png", Studio().frame(36).image_bgr)
    monkeypatch.chdir(paths.ROOT)
    exec(code, {"__name__": "__main__"})
    assert re.search(r"\d", capsys.readouterr().out)


def links(text):
    """The targets of links and pictures, except those in code."""
    prose = INLINE.sub("", FENCED.sub("", text))
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", prose) + re.findall(r"(?:src|href)=\"([^\"]+)\"", prose)
    targets += re.findall(r"^\[[^\]]+\]:\s*(\S+)", prose, flags=re.MULTILINE)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text):
    """The anchors of the headings."""
    headings = re.findall(r"^#+\s+(.*?)\s*$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS)
def test_links_in_the_documentation_are_valid(page):
    for target in links(TEXTS[page]):
        name, _, anchor = target.partition("#")
        file = (paths.ROOT / page).parent / name if name else paths.ROOT / page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


def test_commands_are_found_in_all_formats():
    """The parser of this file is itself tested, because a command that it misses would not be checked."""
    text = """
Run `python3 start.py doctor` in prose, and not `python`.

```sh
$ python3 start.py --source studio   # the studio
RECOGNIZER_MODELS=other python -m recognizer read a.png --json && python3.12 start.py test
.venv\\Scripts\\python -m pip install -r requirements.txt
python -m recognizer train digits \\
    --epochs 3
uvx --from . recognizer read b.png
echo python
```

```python
python -m none
```
"""
    assert python_commands(text) == [
        ("start.py", "--source", "studio"),
        ("-m", "recognizer", "read", "a.png", "--json"),
        ("start.py", "test"),
        ("-m", "pip", "install", "-r", "requirements.txt"),
        ("-m", "recognizer", "train", "digits", "--epochs", "3"),
        ("start.py", "doctor"),
        ("-m", "recognizer", "read", "b.png"),
    ]
    assert links('[a](b.md) ![c](d.png) `[e](f)` [g](https://h) <img src="i.gif">') == ["b.md", "d.png", "i.gif"]
    assert anchors("# Try it\n## How well, honestly?") == {"try-it", "how-well-honestly"}
