"""The command line: help, errors for unknown commands, and commands that run in another process."""

import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from recognizer.cli import command, main
from recognizer.commands import (
    COMMANDS,
    DEFAULT_COMMAND,
    RENAMED_COMMANDS,
    evaluate,
    other_process,
    read,
    train,
    workshop,
)
from recognizer.errors import SettingsError
from recognizer.finders.writing import WritingFinder
from recognizer.pipeline import Pipeline
from recognizer.registry.card import CARD
from recognizer.registry.synced import open_models
from recognizer.samples.synced import default_samples
from recognizer.subjects.paper import PAPER
from recognizer.system import paths
from tests.helpers.drawing import paper, write
from tests.helpers.fakes import FakeClassifier
from training.commands import command_line

TRAINING = ("learn", "train digits", "evaluate mnist", "workshop look", "benchmark")


class Processes:
    """Replaces subprocess.Popen: records the command, and exits as configured."""

    def __init__(self) -> None:
        self.started: list[list[str]] = []
        self.ends: list[int | type[BaseException]] = [0]  # exit code or exception of each wait
        self.terminated = 0

    def __call__(self, command: Sequence[str], env: dict[str, str]) -> "Processes":
        assert env["PYTHONPATH"].startswith(str(paths.ROOT))
        self.started.append(list(command[1:]))
        return self

    def wait(self, timeout_s: float | None = None) -> int:
        end = self.ends.pop(0)
        if isinstance(end, int):
            return end
        raise end if end is KeyboardInterrupt else subprocess.TimeoutExpired("training", 10)

    def terminate(self) -> None:
        self.terminated += 1


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    started = Processes()
    monkeypatch.setattr(other_process.subprocess, "Popen", started)
    return started


@pytest.fixture
def no_model_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the pipeline with one that classifies each region as a 7."""
    always_7 = Pipeline("digits", PAPER, WritingFinder(), FakeClassifier(["7"]))
    monkeypatch.setattr(read, "open_pipeline", lambda task, models, samples, *, smooth: always_7)


def error_line(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line on stderr of a command that exits with code 2."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_each_command_has_a_module_and_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in (DEFAULT_COMMAND, *COMMANDS):
        assert callable(command(name).run)
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    printed = capsys.readouterr().out
    assert [word for word in COMMANDS if f"\n  {word} " not in printed] == []
    assert "example:" in printed


@pytest.mark.parametrize("word", ["tasks", "samples", "models", "train", "evaluate", "workshop"])
def test_a_command_without_arguments_lists_its_subcommands(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for words in ([word], [word, "-h"], [word, "--help"]):
        assert main(words) == 0
        printed.append(capsys.readouterr().out)
    assert len(set(printed)) == 1
    assert printed[0].startswith(f"usage: python -m recognizer {word} COMMAND")
    assert f"example:\n  python -m recognizer {word} " in printed[0]


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        ("sampels list", "samples"),
        ("model list", "models"),
        ("samples lst", "list"),
        ("models roll", "rollback"),
        ("train digit", "digits"),
        ("evaluate foto", "photos"),
        ("workshop publsh", "publish"),
        ("tasks nwe", "new"),
    ],
)
def test_an_unknown_command_suggests_the_most_similar_one(
    words: str, nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert error_line(capsys, *words.split()).endswith(f"Did you mean {nearest}?\n")


def test_an_unknown_command_without_similar_ones_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    line = error_line(capsys, "xyzzy")
    assert line == f"python -m recognizer has no command 'xyzzy'. Commands: {', '.join(COMMANDS)}.\n"
    assert "Commands: list, new, " in error_line(capsys, "tasks", "--models")


@pytest.mark.parametrize(("former", "now"), RENAMED_COMMANDS.items())
def test_a_renamed_command_gives_its_new_name(former: str, now: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_line(capsys, former, "anything")
    assert line == f"{former} is now {now}. See: python -m recognizer {now} --help\n"
    with pytest.raises(SystemExit, match="0"):
        main([*now.split(), "--help"])


@pytest.mark.parametrize(
    ("words", "forwarded"),
    [
        ("learn signs --full --samples s", "training learn signs --full --samples s"),
        ("learn --help", "training learn --help"),
        ("train letters --kind fused", "training shipped letters --kind fused"),
        ("evaluate photos DIR --task digits", "training evaluate photos DIR --task digits"),
        ("workshop table --seeds 0 1", "training table --seeds 0 1"),
        ("benchmark digits --fresh", "benchmarks digits --fresh"),
    ],
)
def test_training_commands_run_in_another_process_and_return_its_exit_code(
    words: str, forwarded: str, processes: Processes
) -> None:
    processes.ends = [3]
    assert main(words.split()) == 3
    assert processes.started == [["-m", *forwarded.split()]]


def test_each_listed_subcommand_is_forwarded(processes: Processes) -> None:
    processes.ends = [0] * 100
    for group, words in (
        ("train", train.SUBCOMMANDS),
        ("evaluate", evaluate.SUBCOMMANDS),
        ("workshop", workshop.SUBCOMMANDS),
    ):
        for word in words:
            assert main([group, word]) == 0
            assert processes.started[-1][-1] == word


@pytest.mark.parametrize("words", TRAINING)
def test_ctrl_c_waits_for_the_other_process_and_returns_130(words: str, processes: Processes) -> None:
    processes.ends = [KeyboardInterrupt, 130]
    assert main(words.split()) == 130
    assert (processes.ends, processes.terminated) == ([], 0)


@pytest.mark.parametrize("second", [KeyboardInterrupt, subprocess.TimeoutExpired])
def test_a_process_that_ignores_ctrl_c_is_terminated(second: type[BaseException], processes: Processes) -> None:
    processes.ends = [KeyboardInterrupt, second, -15]
    assert main(["learn", "signs"]) == 130
    assert (processes.ends, processes.terminated) == ([], 1)


def test_a_process_ended_by_a_signal_has_the_exit_code_of_shells(processes: Processes) -> None:
    processes.ends = [-signal.SIGTERM]
    assert main(["learn", "signs"]) == 128 + signal.SIGTERM


@pytest.mark.parametrize("words", TRAINING)
def test_a_missing_training_package_prints_one_line(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(other_process, "find_spec", lambda name: None)
    assert "which is not installed here. Run it in a clone" in error_line(capsys, *words.split())


def test_a_real_process_gets_the_arguments_and_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "trainer.py").write_text("import os, sys; print(os.getcwd(), sys.argv[1:]); sys.exit(7)")
    assert other_process.run_module("trainer", ["learn", "नमस्ते"]) == 7
    assert capfd.readouterr().out == f"{tmp_path} {['learn', 'नमस्ते']}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot hold Ctrl-C back")
def test_ctrl_c_while_the_other_process_imports_prints_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "trainer.py").write_text(
        "import signal; signal.raise_signal(signal.SIGINT)\n"
        "from recognizer.system.terminal import exit_on_error\n"
        "with exit_on_error(): print('not reached')"
    )
    assert other_process.run_module("trainer", []) == 130
    assert capfd.readouterr() == ("", "")
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


def digits_in(path: Path, digits: int = 1) -> Path:
    """Write a picture file with that number of digits. Return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gray = paper((320, 240))
    for number in range(digits):
        write(gray, 7, (70 + 90 * number, 120), 80)
    assert cv2.imwrite(str(path), gray)
    return path


@pytest.mark.usefixtures("no_model_needed")
def test_read_processes_a_folder_in_natural_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "sheets"
    for name, digits in (("10.png", 3), ("2.png", 2), (".hidden.png", 1), ("inside/1.png", 1)):
        digits_in(folder / name, digits)
    (folder / "notes.txt").write_text("no picture")
    alone = digits_in(tmp_path / "alone.png")
    assert main(["read", str(folder), str(alone), "--save", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{folder / '2.png'}: 77",
        f"{folder / '10.png'}: 777",
        f"{alone}: 7",
    ]
    saved = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert saved == ["0000-2-digits.png", "0001-10-digits.png", "0002-alone-digits.png"]


@pytest.mark.usefixtures("no_model_needed")
def test_a_folder_without_pictures_prints_one_line_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    alone = digits_in(tmp_path / "alone.png")
    assert main(["read", str(tmp_path / "empty"), str(alone)]) == 1
    out, err = capsys.readouterr()
    assert out == f"{alone}: 7\n"
    assert (
        err
        == f"{tmp_path / 'empty'} contains no pictures. Put JPEG or PNG files into it, or give one of its subfolders.\n"
    )
    assert main(["read", str(tmp_path / "empty"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == err.strip()


def test_a_pattern_is_expanded_if_the_shell_does_not(tmp_path: Path) -> None:
    for name in ("10.jpg", "2.jpg", "2.png", "[1].jpg"):
        (tmp_path / name).touch()
    pattern = str(tmp_path / "*.jpg")
    found = [str(tmp_path / name) for name in ("2.jpg", "10.jpg", "[1].jpg")]
    assert sorted(read.expanded(pattern, shell_expands=False)) == sorted(found)
    numbered = read.expanded(str(tmp_path / "[0-9]*.jpg"), shell_expands=False)
    assert numbered == found[:2]
    assert read.expanded(pattern, shell_expands=True) == [pattern]
    assert read.expanded(found[2], shell_expands=False) == [found[2]]  # a file with exactly this name exists
    assert read.expanded("none-*.jpg", shell_expands=False) == ["none-*.jpg"]  # reading it then reports a missing file


CONTENT = {"labels": ["ok", "stop"], "region": "hand", "kind": "pose"}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default model folder, with one version of the task signs."""
    folder = tmp_path / "models"
    monkeypatch.setenv("RECOGNIZER_MODELS", str(folder))
    monkeypatch.setenv("RECOGNIZER_CAPTURES", str(tmp_path / "captures"))
    with open_models(folder).publishing("signs") as draft:
        (draft / CARD).write_text(json.dumps(CONTENT))
        (draft / "model.tflite").write_bytes(b"network")
        (draft / "more").mkdir()
        (draft / "more" / "note.txt").write_text("inside")
    return folder


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_exported_model_can_be_imported_and_rolled_back(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, first = str(tmp_path / "signs.zip"), open_models(models).current("signs").name
    assert main(["models", "export", "signs", path]) == 0
    assert main(["models", "import", "signs", path]) == 0
    second = open_models(models).current("signs")
    assert capsys.readouterr().out.splitlines()[-1] == f"{second.name} is now the current version of signs"
    assert second.name != first
    assert files_below(second) == files_below(models / "signs" / first)
    assert (second / "more" / "note.txt").read_text() == "inside"
    assert main(["models", "rollback", "signs"]) == 0
    assert open_models(models).current("signs").name == first
    assert main(["models", "import", "others", path]) == 0
    assert open_models(models).tasks() == ["others", "signs"]


def write_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


CARD_BYTES = json.dumps(CONTENT).encode()
GOOD = {"signs/1/card.json": CARD_BYTES, "signs/1/model.tflite": b"network"}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, "contains no card.json with a model"),
        ({"signs/1/card.json": CARD_BYTES}, "contains no card.json with a model"),
        ({**GOOD, "signs/1/../../../evil": b""}, "which is not part of a model version"),
        ({**GOOD, "/etc/signs/evil": b""}, "which is not part of a model version"),
        ({**GOOD, "signs/1/..\\..\\evil": b""}, "which is not part of a model version"),
        ({**GOOD, "signs/1/C:evil": b""}, "which is not part of a model version"),
        ({**GOOD, "loose": b""}, "which is not part of a model version"),
        ({**GOOD, "signs/2/card.json": CARD_BYTES}, "contains 2 versions. Export and import them one by one"),
        ({**GOOD, "signs/1/card.json": b"{"}, "cannot be read as JSON"),
        ({**GOOD, "signs/1/card.json": b'{"labels": "many"}'}, 'labels is "many"; it should be a list of strings'),
        ({**GOOD, "signs/1/card.json/inside": b""}, "two files that some systems take for one"),
    ],
)
def test_an_invalid_model_zip_prints_one_line_and_imports_nothing(
    members: dict[str, bytes], expected: str, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_below(tmp_path)
    write_zip(tmp_path / "bad.zip", members)
    assert expected in error_line(capsys, "models", "import", "signs", str(tmp_path / "bad.zip"))
    (tmp_path / "bad.zip").unlink()
    assert [name for name in files_below(tmp_path) if not name.endswith(".lock")] == [
        name for name in before if not name.endswith(".lock")
    ]


def test_a_missing_damaged_or_too_large_zip_prints_one_line(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.zip"
    assert "cannot be read: No such file" in error_line(capsys, "models", "import", "signs", str(path))
    path.write_text("no zip")
    assert "is not a readable zip file" in error_line(capsys, "models", "import", "signs", str(path))
    write_zip(path, GOOD)
    path.write_bytes(path.read_bytes().replace(b"network", b"notwork"))
    assert "is not a readable zip file (Bad CRC-32" in error_line(capsys, "models", "import", "signs", str(path))
    write_zip(path, GOOD)
    assert "cannot be the name of a task" in error_line(capsys, "models", "import", "../signs", str(path))
    monkeypatch.setattr("recognizer.registry.archive.ZIP_LIMIT", 10)
    assert "unpacks to more than" in error_line(capsys, "models", "import", "signs", str(path))
    assert len(open_models(models).versions("signs")) == 1


def test_tasks_are_listed_as_shipped_user_trained_or_waiting(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    default_samples().create_task("mugs", "box", ["red", "blue"])
    with open_models(models).publishing("digits") as draft:
        (draft / CARD).write_text(json.dumps({"labels": ["0", "1"], "region": "paper"}))
    assert main(["tasks", "list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "digits: shipped, paper, 0 1",
        "letters: shipped, its model is missing",
        "rps: shipped, its model is missing",
        "mugs: waiting for a first model, box, red blue",
        "signs: user-trained, hand, ok stop",
    ]
    (open_models(models).current("signs") / CARD).write_text("{")
    assert main(["tasks", "list", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[3] == {
        "task": "mugs",
        "state": "waiting for a first model",
        "subject": "box",
        "labels": ["red", "blue"],
    }
    assert lines[4] == {"task": "signs", "state": "user-trained", "subject": None, "labels": []}


def test_all_commands_take_the_option_samples(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = ["--samples", str(tmp_path / "other")]
    assert main(["tasks", "new", "mugs", "--subject", "box", "--labels", "red", *other]) == 0
    assert main(["samples", "list", *other]) == 0
    assert "mugs (box): 0 samples" in capsys.readouterr().out
    assert main(["samples", "list"]) == 0
    assert "There is no task in" in capsys.readouterr().out
    picture = tmp_path / "picture.png"
    assert cv2.imwrite(str(picture), np.full((60, 60, 3), 90, np.uint8))
    for words in (["samples", "verify"], ["samples", "merge", "mugs", "mugs"], ["serve"], ["tasks", "list"]):
        with pytest.raises(SystemExit, match="0"):
            main([*words, *other, "--help"])
        assert "--samples FOLDER" in capsys.readouterr().out


def test_the_command_line_starts_as_a_module() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "recognizer", "train", "digit"],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "python -m recognizer train has no command 'digit'. Did you mean digits?\n"


def test_a_task_without_a_model_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    default_samples().create_task("mugs", "box", ["red", "blue"])
    assert cv2.imwrite(str(tmp_path / "mug.png"), np.zeros((40, 40, 3), np.uint8))
    assert main(["read", str(tmp_path / "mug.png"), "--task", "mugs", "--models", str(tmp_path / "none")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "mugs has no model yet. Train one from its samples: python -m recognizer learn mugs\n"


NAME_TOO_LONG = "x" * 5000


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["read", ""], "A file has an empty name"),
        (["read", "x.png", "--save", ""], "an empty name is no path"),
        (["--output", ""], "an empty name is no path"),
        (["samples", "show", "signs", "--output", ""], "an empty name is no path"),
        (["samples", "import", ""], "an empty name is no path"),
        (["samples", "import", "signs", ""], "an empty name is no path"),
        (["samples", "import", "signs", NAME_TOO_LONG], "File name too long"),
        (["samples", "list", "--samples", ""], "An empty name is no folder"),
        (["samples", "list", "--samples", "here.txt"], "here.txt is no folder"),
        (["samples", "list", "--samples", NAME_TOO_LONG], "File name too long"),
        (["samples", "list", "--samples", "http://"], "http:// names no place"),
        (["models", "export", "digits", ""], "an empty name is no path"),
        (["models", "list", "--models", "here.txt"], "here.txt is no folder"),
        (["models", "list", "--models", NAME_TOO_LONG], "File name too long"),
        (["--source", NAME_TOO_LONG], "There is no file or folder"),
        (["read", NAME_TOO_LONG], "cannot be read: File name too long"),
    ],
)
def test_a_path_that_is_none_is_one_line(
    words: list[str], found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOGNIZER_CAPTURES", str(tmp_path / "captures"))
    (tmp_path / "here.txt").touch()
    headless = ["--headless", "--max-frames", "1"] if words[0].startswith("--") else []
    assert main([*words, *headless]) == (1 if words[0] == "read" and len(words) == 2 else 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert found in line
    assert [path.name for path in tmp_path.iterdir()] == ["here.txt"]


@pytest.mark.parametrize("seed", ["-1", "x", "1.5", str(1 << 32)])
def test_a_seed_that_is_none_is_one_line(seed: str) -> None:
    parser = command_line.Parser("learn", "")
    parser.add_seed()
    with pytest.raises(SettingsError, match="is not a whole number from 0 to 4294967295"):
        parser.parse_args(["--seed", seed])


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_read_prints_each_picture_of_a_moving_picture(
    suffix: str, tmp_path: Path, no_model_needed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    sheets = [Image.fromarray(paper((320, 240))) for _ in range(2)]
    sheet = paper((320, 240))
    write(sheet, 7, (160, 120), 80)
    first, *others = [*sheets, Image.fromarray(sheet)]
    first.putpixel((0, 0), 9)  # two equal pictures would become one
    name = str(tmp_path / f"moving{suffix}")
    first.save(name, save_all=True, append_images=others, **({} if suffix == ".tif" else {"duration": 100}))
    assert main(["read", name]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{name}, picture 1: no label",
        f"{name}, picture 2: no label",
        f"{name}, picture 3: 7",
    ]
    assert main(["read", name, "--json", "--save", str(tmp_path / "saved")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["file"], line["picture"], line["text"]) for line in lines] == [
        (name, 1, ""),
        (name, 2, ""),
        (name, 3, "7"),
    ]
    assert len([*(tmp_path / "saved").iterdir()]) == 3


def test_a_name_with_a_line_break_is_printed_on_one_line(
    tmp_path: Path, no_model_needed: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sheet = paper((320, 240))
    write(sheet, 7, (160, 120), 80)
    cv2.imencode(".png", sheet)[1].tofile("scan\n1.png")
    assert main(["read", "scan\n1.png", "none\n.png"]) == 1
    assert capsys.readouterr() == ("scan\\n1.png: 7\n", "none\\n.png is not there. Check its name and folder.\n")
