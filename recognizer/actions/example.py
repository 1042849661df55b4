"""Writes an example file of actions, which works as it is."""

import json
import sys
from collections.abc import Sequence

from recognizer.samples.sample import NOTHING

HEAD = """\
# What happens when a sign of the task {task} is shown. Its labels:
# {labels}
#
# Each block is one action. `on` is a label, a list of labels, or "*" for all; `do` is what it does. `when` is "appeared"
# unless you write "held" or "gone". Texts may hold {{label}}, {{text}}, {{confidence}} and {{hand}}.
# Check it:  python -m recognizer actions check FILE --task {task}

[[action]]
on = {first}
do = "command"
words = [{python}, "-c", "import sys; print(sys.argv[1], 'was shown')", "{{label}}"]

# Take away the "# " of a block to use it. Their keys are in docs/actions.md.

# [[action]]
# on = {second}
# do = "key"
# keys = "space"

# [[action]]
# on = "*"
# do = "say"
# text = "{{label}}"

# [[action]]
# on = "*"
# do = "mqtt"
# broker = "localhost"
# topic = "recognizer/{{task}}"

# [[action]]
# on = {first}
# when = ["appeared", "gone"]
# do = "webhook"
# address = "http://localhost:8123/api/webhook/sign"

# [[action]]
# on = "*"
# do = "serial"
# port = "/dev/ttyACM0"
"""


def example(task: str, labels: Sequence[str]) -> str:
    """A file for a task with these labels. Its first block is an action; the others are comments."""
    shown = [label for label in labels if label != NOTHING] or ["*"]
    python = sys.executable or "python"
    return HEAD.format(
        task=task,
        labels=", ".join(shown),
        first=_as_toml(shown[0]),
        second=_as_toml(shown[min(1, len(shown) - 1)]),
        python=_as_toml(python),
    )


def _as_toml(text: str) -> str:
    """A basic string of TOML, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
