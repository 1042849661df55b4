"""Which file of actions a task uses, and that the user has allowed it; the command `recognizer actions`."""

import errno
from pathlib import Path

import pytest

from recognizer import cli
from recognizer.actions import task_actions
from recognizer.actions.action import ActionError
from recognizer.actions.task_actions import AllowedFiles, TaskActions, actions_path, move_actions
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import default_models
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.teaching.changes import rename_task

TEXT = '[[action]]\non = "hello"\ndo = "type"  # '


@pytest.fixture
def allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AllowedFiles:
    monkeypatch.setattr(task_actions.paths, "data", lambda: tmp_path / "data")
    return AllowedFiles()


@pytest.fixture
def samples(allowed: AllowedFiles) -> Samples:
    store = default_samples()
    store.create_task("greetings", "hand", ["hello", "bye"])
    return store


def found(samples: Samples, named: Path | None = None) -> TaskActions:
    return TaskActions(ModelStore(samples.folder / "none"), samples, named)


def write(samples: Samples, text: str) -> Path:
    path = actions_path(samples, "greetings")
    path.write_text(text, encoding="utf-8")
    return path


def test_a_task_without_a_file_has_no_actions_and_nothing_is_asked(samples: Samples) -> None:
    actions = found(samples)
    actions.ask("greetings", lambda question: pytest.fail("nothing to ask"))
    assert actions.rules("greetings") == ()
    with pytest.raises(ActionError, match="greetings has no file of actions. Make one"):
        actions.allow("greetings")


def end_of_input(question: str) -> str:
    raise EOFError


def test_a_new_file_is_shown_and_used_only_after_a_yes(samples: Samples, capsys: pytest.CaptureFixture[str]) -> None:
    actions, path = found(samples), write(samples, TEXT + "# \u202eevil")
    actions.ask("greetings", end_of_input)
    actions.ask("greetings", lambda question: "no")
    printed = capsys.readouterr().out
    assert 'do = "type"' in printed
    assert "hello, appeared: type '{label}'" in printed
    assert "\u202e" not in printed
    with pytest.raises(
        ActionError, match="actions.toml is new, and its actions are not used. .*actions allow greetings"
    ):
        actions.rules("greetings")
    actions.ask("greetings", lambda question: " Y\n")
    assert len(actions.rules("greetings")) == 1
    actions.ask("greetings", lambda question: pytest.fail("it is allowed already"))

    path.write_text(TEXT.replace("hello", "bye"))
    with pytest.raises(ActionError, match="is new"):
        found(samples).rules("greetings")


def test_without_a_terminal_nothing_is_asked_and_nothing_used(samples: Samples) -> None:
    write(samples, TEXT)
    actions = found(samples)
    actions.ask("greetings")
    with pytest.raises(ActionError, match="is new"):
        actions.rules("greetings")


def test_a_task_that_is_renamed_takes_its_actions_along(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(samples, TEXT)
    models = ModelStore(samples.folder / "none")
    rename_task(models, samples, "greetings", "hellos")
    assert not path.exists()
    assert actions_path(samples, "hellos").read_text() == TEXT

    def refused(source: Path, target: Path) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(task_actions.files, "replace", refused)
    with pytest.raises(ActionError, match="cannot be moved to .*: Permission denied. Move it yourself"):
        move_actions(samples, "hellos", "greetings")


def test_a_named_file_is_used_at_once_for_every_task(samples: Samples, tmp_path: Path) -> None:
    named = tmp_path / "my.toml"
    named.write_text(TEXT)
    actions = found(samples, named)
    actions.ask("greetings", lambda question: pytest.fail("the user has named it"))
    assert len(actions.rules("greetings")) == 1
    with pytest.raises(ActionError, match=r"no\.toml is not there"):
        found(samples, tmp_path / "no.toml").rules("greetings")
    with pytest.raises(ActionError, match="cannot be read: Is a directory"):
        found(samples, tmp_path).rules("greetings")


def test_a_damaged_file_or_a_label_that_the_task_lacks_is_an_error_with_its_place(samples: Samples) -> None:
    write(samples, TEXT.replace("hello", "hallo"))
    with pytest.raises(ActionError, match="line 2: the task has no label 'hallo'. Did you mean hello"):
        found(samples).ask("greetings", lambda question: "y")


def test_a_damaged_list_of_allowed_files_allows_none(allowed: AllowedFiles, tmp_path: Path) -> None:
    allowed.add(b"one")
    allowed.add(b"two")
    assert [allowed.has(data) for data in (b"one", b"two", b"three")] == [True, True, False]
    for damaged in (b"{}", b"[1]", b"\xff"):
        (tmp_path / "data" / task_actions.ALLOWED_NAME).write_bytes(damaged)
        assert not allowed.has(b"one")
    with pytest.raises(ActionError, match="cannot be written"):
        AllowedFiles(tmp_path / "data" / task_actions.ALLOWED_NAME / "x").add(b"one")


@pytest.mark.usefixtures("published_models")
def test_the_command_makes_checks_and_allows_a_file(
    allowed: AllowedFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = actions_path(default_samples(), "rps")
    assert cli.main(["actions", "example"]) == 0
    text = capsys.readouterr().out
    assert cli.main(["actions", "example", "rps", "--save"]) == 0
    assert capsys.readouterr().out == f"Wrote {path}. Change it, then run: python -m recognizer --task rps\n"
    assert path.read_text(encoding="utf-8") == text
    assert len(TaskActions(default_models(), default_samples()).rules("rps")) == 1  # allowed already
    assert cli.main(["actions", "example", "rps", "--save"]) == 2
    assert "is there already" in capsys.readouterr().err

    path.write_text('[[action]]\non = "rock"\ndo = "key"\nkeys = "a"\n')
    assert cli.main(["actions", "check", str(path), "--task", "rps"]) == 0
    assert capsys.readouterr().out == "line 1: rock, appeared: press a\n"
    assert cli.main(["actions", "allow", "rps"]) == 0
    assert capsys.readouterr().out == f"line 1: rock, appeared: press a\n{path} is allowed as it is now.\n"
    assert len(TaskActions(default_models(), default_samples()).rules("rps")) == 1
    assert cli.main(["actions", "check", str(path), "--task", "digits"]) == 2
    assert "line 2: the task has no label 'rock'" in capsys.readouterr().err


def test_the_example_cannot_be_saved_where_nothing_can_be_written(
    published_models: ModelStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "rps").write_text("a file")
    assert cli.main(["actions", "example", "rps", "--save", "--samples", str(tmp_path / "samples")]) == 2
    assert "cannot be" in capsys.readouterr().err
