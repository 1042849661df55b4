"""`recognizer actions`: checks a file of actions, makes an example, and allows the file beside a task."""

from collections.abc import Sequence

from recognizer.actions.action import ActionError
from recognizer.actions.action_file import Rule, read_actions
from recognizer.actions.catalogue import plug_in_names
from recognizer.actions.example import example
from recognizer.actions.task_actions import AllowedFiles, TaskActions, actions_path, labels_of
from recognizer.commands.options import Parser, Subcommand, add_models, add_task, given_path, run_subcommand
from recognizer.commands.samples_option import add_samples
from recognizer.errors import printable
from recognizer.system import files


def run(args: Sequence[str]) -> int:
    """Return 0. Raises RecognizerError."""
    description = (
        "Let signs do something: press keys, run programs, publish at a broker, speak. docs/actions.md says how."
    )
    return run_subcommand("actions", description, SUBCOMMANDS, "example rps --save", args)


def _check(args: Sequence[str]) -> int:
    parser = Parser("actions check", "Check a file of actions, and print what each does.", example="FILE --task rps")
    parser.add_argument("file", metavar="FILE", type=given_path, help="the file, in TOML")
    parser.add_argument("--task", help="check the labels, too: those of this task")
    add_models(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    labels, joined = labels_of(options.task, options.models, options.samples) if options.task else (None, False)
    _print_rules(read_actions(options.file, labels, joined=joined))
    if plug_in_names():
        print(f"Kinds of plug-ins: {', '.join(plug_in_names())}")
    return 0


def _example(args: Sequence[str]) -> int:
    parser = Parser("actions example", "Print a file of actions that works.", example="rps --save")
    parser.add_argument("task", metavar="TASK", nargs="?", default="rps", help="the task with the labels (default rps)")
    parser.add_argument("--save", action="store_true", help="save it beside the task, where the window finds it")
    add_models(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    labels, _ = labels_of(options.task, options.models, options.samples)
    text = example(options.task, labels)
    if not options.save:
        print(text, end="")
        return 0
    path = actions_path(options.samples, options.task)
    if path.exists():
        raise ActionError(f"{path} is there already. Edit it, or delete it first.")
    try:
        with files.atomic_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise ActionError(f"{path} cannot be written: {error.strerror}. Free some space.") from error
    AllowedFiles().add(text.encode())
    print(f"Wrote {path}. Change it, then run: python -m recognizer --task {options.task}")
    return 0


def _allow(args: Sequence[str]) -> int:
    parser = Parser("actions allow", "Allow the file of actions beside a task, after you looked at it.", example="rps")
    add_task(parser)
    add_models(parser)
    add_samples(parser)
    options = parser.parse_args(args)
    _print_rules(TaskActions(options.models, options.samples).allow(options.task))
    print(f"{actions_path(options.samples, options.task)} is allowed as it is now.")
    return 0


def _print_rules(rules: Sequence[Rule]) -> None:
    for rule in rules:
        print(f"line {rule.line}: {printable(rule.describe())}")


SUBCOMMANDS = {
    "check": Subcommand("FILE", "check a file of actions, and print what each does", _check),
    "example": Subcommand("[TASK]", "print a file of actions that works, or save it beside the task", _example),
    "allow": Subcommand("TASK", "allow the file of actions beside a task", _allow),
}
