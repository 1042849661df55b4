"""`recognizer tasks`: which tasks there are, and a new one."""

import json
from collections.abc import Sequence

from recognizer.commands.options import Parser, Subcommand, add_models, run_subcommand
from recognizer.commands.samples_option import add_samples
from recognizer.errors import ModelError
from recognizer.registry import card
from recognizer.registry.store import ModelStore
from recognizer.samples.sample import Task
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.tasks import TASKS, shipped_and_own


def run(args: Sequence[str]) -> int:
    """Returns 0, or raises RecognizerError."""
    description = "List the tasks, or make one of your own, ready to record."
    return run_subcommand(
        "tasks", description, SUBCOMMANDS, 'new greetings --subject hand --labels "hello,thumbs up"', args
    )


def _list(args: Sequence[str]) -> int:
    parser = Parser("tasks list", "List the tasks: shipped, user-trained, or waiting for a first model.")
    parser.add_argument("--json", action="store_true", help="one JSON object a task and line")
    add_models(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    own = {task.name: task for task in options.samples.tasks()}
    for name in shipped_and_own(options.models, own):
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
        return "shipped, its model is not here" if name in TASKS else "waiting for a first model"
    return "shipped" if name in TASKS else "user-trained"


def _subject_and_labels(name: str, models: ModelStore, own: dict[str, Task]) -> tuple[str | None, list[str]]:
    """What the task's model says, or else its samples; nothing where the model is damaged: doctor says more."""
    try:
        content = card.read_card(models.current(name))
        return content.subject, list(content.labels)
    except ModelError:
        return (own[name].subject, list(own[name].labels)) if name in own else (None, [])


def _new(args: Sequence[str]) -> int:
    parser = Parser(
        "tasks new", "Make a task of your own, ready to record.",
        example='greetings --subject hand --labels "hello,thumbs up"',
    )  # fmt: skip
    parser.add_argument("name", metavar="NAME", help="letters, digits, spaces, - and _, in any script")
    parser.add_argument("--subject", choices=SUBJECTS, required=True, help="what the camera is shown")
    parser.add_argument("--labels", required=True, help='words with commas between them: "ok,stop,thumbs up"')
    add_samples(parser)
    options = parser.parse_args(args)
    labels = [word for word in options.labels.split(",") if word.strip()]
    task = options.samples.create_task(options.name, options.subject, labels)
    print(f"Made {task.name} ({task.subject}): {', '.join(task.labels)}")
    return 0


SUBCOMMANDS = {
    "list": Subcommand("", "the tasks there are: shipped, user-trained, or waiting for a first model", _list),
    "new": Subcommand("NAME", "make a task of your own, ready to record", _new),
}
