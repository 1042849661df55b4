"""Each subcommand of `models`."""

import json
from pathlib import Path

import pytest

from recognizer.cli import main
from recognizer.registry import card
from recognizer.registry.store import title_of
from recognizer.registry.synced import open_models

CARD = {
    "labels": ["ok", "नमस्ते"],
    "region": "hand",
    "kind": "pose",
    "taught": {"from": None, "samples": {"ok": 3, "नमस्ते": 4}},
    "metrics": {"held_out_after": 0.91234, "per_label": {}},
}


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Publish two versions of the task "signs" in the default model folder. Return their names."""
    monkeypatch.setenv("RECOGNIZER_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    names = []
    for _ in range(2):
        with open_models(tmp_path / "models").publishing("signs") as draft:
            (draft / card.CARD).write_text(json.dumps(CARD), encoding="utf-8")
        names.append(open_models(tmp_path / "models").current("signs").name)
    return names


def title(version: str) -> str:
    return title_of(Path("models") / "signs" / version)


def test_list_marks_the_current_version(versions: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    first, second = versions
    dates = [title(name).removeprefix("signs, ") for name in versions]
    assert capsys.readouterr().out.splitlines() == [
        "signs",
        f"    {first}  {dates[0]}, 2 labels, pose, trained on 7 of your samples",
        f"  * {second}  {dates[1]}, 2 labels, pose, trained on 7 of your samples",
    ]
    assert main(["models", "list", "signs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"task": "signs", "current": second, "versions": versions}
    assert main(["models", "list", "--models", "empty"]) == 0
    assert "There is no model in empty yet" in capsys.readouterr().out


def test_list_shows_the_error_of_an_unreadable_card(
    versions: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models" / "signs" / versions[0] / card.CARD).write_text("{")
    assert main(["models", "list"]) == 0
    assert "cannot be read as JSON" in capsys.readouterr().out


def test_show_prints_the_card_of_a_version(versions: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "signs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{title(versions[1])} (current), ")
    assert lines[1:] == [
        "  labels: ok, नमस्ते",
        "  subject: hand",
        "  kind: pose",
        "  samples: ok 3, नमस्ते 4",
        "  held out after: 0.9123",
    ]
    assert main(["models", "show", "signs", versions[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == CARD
    assert main(["models", "show", "signs", "yesterday"]) == 2
    assert "signs has no version yesterday" in capsys.readouterr().err


def test_rollback_then_delete_then_export(
    versions: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = versions
    assert main(["models", "delete", "signs", second]) == 2
    assert "Go back first" in capsys.readouterr().err
    assert main(["models", "rollback", "signs"]) == 0
    assert main(["models", "delete", "signs", second]) == 0
    assert main(["models", "export", "signs", "signs.zip"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Back to {title(first)}",
        f"Deleted {second} of signs",
        f"Wrote signs.zip with {title(first)}",
    ]
    assert (tmp_path / "signs.zip").is_file()
    assert main(["models", "rollback", "signs"]) == 2
    assert "has no earlier version" in capsys.readouterr().err
    assert main(["models", "delete", "signs", first]) == 2
    assert "Delete the model: python -m recognizer tasks delete signs --only model" in capsys.readouterr().err
    assert main(["models", "rollback", "sings"]) == 2
    assert "There is no model for the task sings. There are: signs. Did you mean signs?" in capsys.readouterr().err
