import pytest

from recognizer.commands.evaluate import MEASURED
from recognizer.errors import SettingsError
from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from training import settings
from training.__main__ import COMMANDS, main
from training.commands import evaluate, finder, shipped, workshop


def failure(capsys, *words):
    """The one line on stderr of a command that exits with code 2."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["lern"], "learn"),
        (["shipped", "digit"], "digits"),
        (["evaluate", "photo"], "photos"),
        (["finder", "drew"], "draw"),
    ],
)
def test_an_unknown_command_suggests_the_most_similar_one(words, nearest, capsys):
    assert f"has no command {words[-1]}. Did you mean {nearest}?" in failure(capsys, *words)


@pytest.mark.parametrize(
    ("words", "table"),
    [([], COMMANDS), (["evaluate"], evaluate.WORDS), (["shipped"], shipped.WORDS), (["finder"], finder.WORDS)],
)
def test_help_lists_each_command(words, table, capsys):
    for command in (words, [*words, "-h"]):
        main(command)
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        starts = {line[0] for line in lines if line}
        assert set(table) <= starts


@pytest.mark.parametrize("word", ["learn", "backbones", *workshop.COMMANDS])
def test_help_of_a_command_has_an_example(word, capsys):
    with pytest.raises(SystemExit) as end:
        main([word, "-h"])
    assert end.value.code == 0
    assert capsys.readouterr().out.count(f" {word} ") >= 2  # in the usage and in an example


def test_invalid_arguments_are_a_one_line_error(capsys):
    assert "the following arguments are required: TASK" in failure(capsys, "learn")
    assert "unrecognized arguments: --tsak" in failure(capsys, "evaluate", "mnist", "--tsak", "digits")


def test_settings_are_checked_when_they_are_created():
    with pytest.raises(SettingsError, match="--network cnm is not one of linear, "):
        settings.TrainSettings("mnist", "cnm")
    with pytest.raises(SettingsError, match="--trials 0 is not at least 1"):
        settings.SweepSettings("mnist", settings.TABLE, trials=0)
    with pytest.raises(SettingsError, match="--subject foot is not one of hand, paper, box"):
        settings.LearnSettings("signs", subject="foot")


def test_a_recorded_command_has_the_options_that_differ_from_the_defaults(tmp_path):
    learned = settings.LearnSettings(
        "my signs", folder=tmp_path, force=True, samples=Samples(tmp_path), models=ModelStore(tmp_path)
    )
    assert learned.command == f"python -m recognizer learn 'my signs' --from {tmp_path} --force"
    trained = settings.TrainSettings("mnist", "vgg16", batch_size=16, copies=0, runs=tmp_path)
    assert trained.command == (
        "python -m recognizer workshop train --data mnist --network vgg16 --batch-size 16 --copies 0"
    )
    assert settings.DigitsSettings(models=ModelStore(tmp_path)).command == "python -m recognizer train digits"


def test_the_recognizer_passes_on_every_evaluation():
    assert set(MEASURED) == set(evaluate.WORDS)
