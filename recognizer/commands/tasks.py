"""`recognizer tasks`: lists, creates, renames and deletes tasks, and saves and loads them."""

import json
from collections.abc import Sequence

from recognizer.commands.asking import add_yes, is_confirmed
from recognizer.commands.options import Parser, Subcommand, add_models, add_task, given_path, run_subcommand
from recognizer.commands.samples_option import add_samples
from recognizer.errors import ModelError
from recognizer.registry import card
from recognizer.registry.store import ModelStore
from recognizer.samples.sample import Task, split_labels
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.system.terminal import SOME_FAILED, print_messages
from recognizer.tasks import TASKS, all_task_names
from recognizer.teaching import changes, project
from recognizer.teaching.changes import What


def run(args: Sequence[str]) -> int:
    """Return 0. Raises RecognizerError."""
    description = "List the tasks; create, rename and delete your own; save and load them."
    return run_subcommand(
        "tasks", description, SUBCOMMANDS, 'new greetings --subject hand --labels "hello,thumbs up"', args
    )


def _list(args: Sequence[str]) -> int:
    parser = Parser("tasks list", "List the tasks: shipped, user-trained, or waiting for a first model.")
    parser.add_argument("--json", action="store_true", help="one JSON object per line and task")
    add_models(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    own = {task.name: task for task in options.samples.tasks()}
    for name in all_task_names(options.models, own):
        state = _state(name, options.models)
        subject, labels = _subject_and_labels(name, options.models, own)
        if options.json:
            line = {"task": name, "state": state, "subject": subject, "labels": labels}
            print(json.dumps(line, ensure_ascii=False))
        else:
            print(f"{name}: {', '.join(filter(None, [state, subject, ' '.join(labels)]))}")
    return 0


def _state(name: str, models: ModelStore) -> str:
    if not models.has(name):
        return "shipped, its model is missing" if name in TASKS else "waiting for a first model"
    return "shipped" if name in TASKS else "user-trained"


def _subject_and_labels(name: str, models: ModelStore, own: dict[str, Task]) -> tuple[str | None, list[str]]:
    """Subject and labels from the task's model, else from its samples. Empty if the model is damaged (see doctor)."""
    try:
        content = card.read_card(models.current(name))
        return content.subject, list(content.all_labels)
    except ModelError:
        return (own[name].subject, list(own[name].labels)) if name in own else (None, [])


def _new(args: Sequence[str]) -> int:
    parser = Parser(
        "tasks new", "Create your own task. Then record samples of it.",
        example='greetings --subject hand --labels "hello,thumbs up"',
    )  # fmt: skip
    parser.add_argument("name", metavar="NAME", help="letters, digits, spaces, - and _, in any script")
    parser.add_argument("--subject", choices=SUBJECTS, required=True, help="what is held to the camera")
    parser.add_argument("--labels", required=True, help='labels, separated by commas: "ok,stop,thumbs up"')
    parser.add_argument("--sides", action="store_true", help="the left and the right hand mean different things")
    add_samples(parser)
    options = parser.parse_args(args)
    labels = split_labels(options.labels)
    task = options.samples.create_task(options.name, options.subject, labels, sides=options.sides)
    print(f"Created {task.name} ({task.subject}): {', '.join(task.labels)}")
    return 0


def _export(args: Sequence[str]) -> int:
    parser = Parser(
        "tasks export", "Save a task's samples and current model in one file, as the page does.",
        example="greetings greetings.zip",
    )  # fmt: skip
    add_task(parser)
    parser.add_argument("zip", type=given_path, metavar="ZIP", help="the file to write")
    add_models(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    left_out = project.save(options.task, options.models, options.samples, options.zip)
    print(f"Wrote {options.zip}")
    print_messages(left_out)
    return SOME_FAILED if left_out else 0


def _import(args: Sequence[str]) -> int:
    parser = Parser(
        "tasks import", "Load such a file: its samples are added to the task, its model becomes the current one.",
        example="greetings.zip",
    )  # fmt: skip
    parser.add_argument("zip", type=given_path, metavar="ZIP", help="a file of tasks export, or saved on the page")
    add_models(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    loaded = project.load(options.zip, options.models, options.samples)
    there = f", {loaded.samples.duplicates} were there already" if loaded.samples.duplicates else ""
    print(f"Loaded {loaded.task}: {len(loaded.samples.added)} samples{there}")
    if loaded.model is None:
        print(f"  no model: train one with python -m recognizer learn {loaded.task}")
    else:
        accuracy = "" if loaded.accuracy is None else f", validated where it was trained: {loaded.accuracy:.1%}"
        print(f"  model {loaded.model}{'' if loaded.is_new_model else ', was there already'}{accuracy}")
    print_messages(loaded.samples.refused)
    return SOME_FAILED if loaded.samples.refused else 0


def _rename(args: Sequence[str]) -> int:
    parser = Parser("tasks rename", "Rename a task, with its samples and models.", example="greetings hellos")
    add_task(parser)
    parser.add_argument("to", metavar="NAME", help="letters, digits, spaces, - and _, in any script")
    add_models(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    name = changes.rename_task(options.models, options.samples, options.task, options.to)
    print(f"{options.task} is now {name}")
    return 0


def _delete(args: Sequence[str]) -> int:
    parser = Parser(
        "tasks delete", "Move a task to the trash: its samples, its models, or both.", example="greetings --yes"
    )
    add_task(parser)
    parser.add_argument("--only", choices=(What.SAMPLES.value, What.MODEL.value), help="default: both")
    add_yes(parser)
    add_models(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    what = What(options.only or What.ALL)
    changes.check_deletable(options.models, options.samples, options.task, what)
    if not is_confirmed(f"Delete {_TO_DELETE[what]} {options.task}?", options):
        return SOME_FAILED
    gone = changes.delete_task(options.models, options.samples, options.task, what)
    print(f"Deleted {_TO_DELETE[what]} {gone.task}: {gone.samples} samples, {gone.versions} versions of its model")
    print(f"They are in the trash. To bring them back: python -m recognizer samples restore {gone.name}")
    return 0


_TO_DELETE = {
    What.ALL: "the task",
    What.SAMPLES: "the samples of",
    What.MODEL: "the model of",
}

SUBCOMMANDS = {
    "list": Subcommand("", "list the tasks: shipped, user-trained, or waiting for a first model", _list),
    "new": Subcommand("NAME", "create your own task", _new),
    "rename": Subcommand("TASK NAME", "rename a task with its samples and models", _rename),
    "delete": Subcommand("TASK", "move a task to the trash: its samples, its models, or both", _delete),
    "export": Subcommand("TASK ZIP", "save a task's samples and model in one file", _export),
    "import": Subcommand("ZIP", "load such a file", _import),
}
