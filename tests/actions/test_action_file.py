"""The file of actions: what it may say, and where its errors are."""

from pathlib import Path

import numpy as np
import pytest

from recognizer.actions.action import ActionError, Firing
from recognizer.actions.action_file import parse_actions, read_actions
from recognizer.actions.catalogue import KINDS
from recognizer.actions.example import example
from recognizer.actions.kinds.keyboard import Key
from recognizer.actions.kinds.webhook import Webhook
from recognizer.event_detection.event import Phase
from tests.helpers.firings import an_event

LABELS = ("rock", "paper", "nothing")

GOOD = """
[[action]]
on = "rock"  # the label
do = "key"
keys = "space"

[[action]]
on = ["rock", "paper"]
when = ["appeared", "gone"]
hand = "left"
do = "webhook"
address = "http://localhost:1/{label}"
timeout_s = 2
[action.json]
state = "{state}"
[[action]]
on = "*"
task = "letters"
do = "mqtt"
"""


def test_a_file_says_what_each_sign_does() -> None:
    rules = parse_actions(GOOD.encode(), "my.toml", LABELS)
    assert [rule.line for rule in rules] == [2, 7, 16]
    assert rules[0].action == Key("space")
    assert rules[1].action == Webhook("http://localhost:1/{label}", json={"state": "{state}"}, timeout_s=2.0)
    assert [rule.describe() for rule in rules] == [
        "rock, appeared: press space",
        "rock or paper, left hand, appeared or gone: post to http://localhost:1/{label}",
        "any sign, appeared or gone, in letters: publish 'the label' as recognizer/{task} at localhost:1883",
    ]


def test_a_rule_fits_its_labels_phases_hand_and_task() -> None:
    rules = parse_actions(GOOD.encode(), "my.toml", LABELS)
    events = [
        an_event("rock"),
        an_event("rock", Phase.GONE),
        an_event("paper"),
        an_event("paper", hand="right"),
        an_event("rock", Phase.HELD),
    ]
    assert [[rule.fits(event) for rule in rules] for event in events] == [
        [True, True, False],
        [False, True, False],
        [False, True, False],
        [False, False, False],
        [False, False, False],
    ]


BLOCK = '[[action]]\non = "rock"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"my.toml has no block \[\[action\]\]. See"),
        ("[[action]]\non = rock", r"my.toml is not TOML: .*line 2"),
        ("[[actoin]]\n", r"line 1: 'actoin' is no block"),
        ("[action]\n", r"line 1: Each block begins with \[\[action\]\], with two brackets"),
        (f"{BLOCK}", r"line 1: do is missing. Kinds: key, type"),
        (f'{BLOCK}do = "kye"', r"line 3: there is no kind 'kye'. Did you mean key"),
        (f"{BLOCK}do = 3", r"line 3: there is no kind 3"),
        ('[[action]]\ndo = "key"\nkeys = "a"', "line 1: on is missing"),
        ('[[action]]\ndo = "key"\nkeys = "a"\non = [1]', "line 4: on is missing"),
        (
            '\n\n[[action]]\non = "rokc"\ndo = "key"\nkeys = "a"',
            r"line 4: the task has no label 'rokc'. Did you mean rock\?",
        ),
        ('[[action]]\non = "nothing"\ndo = "key"\nkeys = "a"', "line 2: nothing never fires"),
        (f'{BLOCK}do = "key"', 'line 3: do = "key" needs keys: a text'),
        (
            f'{BLOCK}do = "key"\nkyes = "a"',
            r"line 4: do = \"key\" has no key 'kyes'. Did you mean keys\? Keys: keys, on",
        ),
        (f'{BLOCK}do = "key"\nkeys = 7', "line 4: keys is 7, and should be a text"),
        (f'{BLOCK}do = "key"\nkeys = "ctlr+s"', "line 4: keys: there is no key 'ctlr'"),
        (f'{BLOCK}do = "key"\nkeys = "ctrl+"', "line 4: keys: 'ctrl.' is no combination"),
        (f'{BLOCK}do = "type"\ntext = "{{lable}}"', r"line 4: text: \{lable\} is no value. Values: \{label\}"),
        (f'{BLOCK}when = "shown"\ndo = "type"', "line 3: when is 'shown'. Write one or a list of appeared, held, gone"),
        (f'{BLOCK}hand = "up"\ndo = "type"', "line 3: hand is 'up'. Write left, right or both"),
        (f'{BLOCK}task = 3\ndo = "type"', "line 3: task is the name of a task"),
        (f'{BLOCK}do = "command"\nwords = "ls -l"', "line 4: words is 'ls -l', and should be a list of texts"),
        (f'{BLOCK}do = "command"\nwords = []', "line 4: words: name a program"),
        (
            f'{BLOCK}do = "command"\nwords = ["ls"]\ntimeout_s = 0',
            "line 5: timeout_s: 0 is not above 0 and at most 3600",
        ),
        (f'{BLOCK}do = "command"\nwords = ["ls"]\ntimeout_s = inf', "line 5: timeout_s is inf, and should be a number"),
        (f'{BLOCK}do = "open"\naddress = "file:///etc"', "line 4: address: 'file:///etc' is no address"),
        (f'{BLOCK}do = "webhook"\naddress = "localhost"', "line 4: address: 'localhost' is no address"),
        (f'{BLOCK}do = "webhook"\naddress = "http://[x"', "line 4: address: 'http://.x' is no address"),
        (
            f'{BLOCK}do = "webhook"\naddress = "http://x"\ntimeout_s = 0',
            "line 5: timeout_s: 0 is not above 0 and at most 3600",
        ),
        (f'{BLOCK}do = "webhook"\naddress = "http://x"\njson = {{a = ["{{b}}"]}}', r"line 5: json: \{b\} is no value"),
        (f'{BLOCK}do = "mqtt"\nport = 70000', "line 4: port: 70000 is not between"),
        (f'{BLOCK}do = "mqtt"\ntopic = "a/#"', "line 4: topic: 'a/#' is no topic"),
        (f'{BLOCK}do = "osc"\naddress = "a"', "line 4: address: 'a' is no OSC address"),
        (f'{BLOCK}do = "osc"\nport = 0', "line 4: port: 0 is not between"),
        (f'{BLOCK}do = "serial"\nport = "COM3"\nbaud = 0', "line 5: baud: give a number above 0"),
        (f'{BLOCK}do = "serial"\nport = "COM3"\nsettle_s = 99', "line 5: settle_s: give a number from 0 to 60"),
        (f'{BLOCK}do = "serial"\nport = "COM3"\nbaud = true', "line 5: baud is True, and should be a whole number"),
        (f'{BLOCK}do = "sound"\nfile = "missing.wav"', "line 4: file: missing.wav is not there"),
    ],
)
def test_an_error_is_one_line_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ActionError, match=message) as caught:
        parse_actions(text.encode(), "my.toml", LABELS)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("my.toml")


def test_a_file_that_is_no_text_missing_or_huge_is_named(tmp_path: Path) -> None:
    with pytest.raises(ActionError, match="my.toml is not in UTF-8, at byte 3"):
        parse_actions(b"# \xff", "my.toml")
    with pytest.raises(ActionError, match="more than 1 MiB"):
        parse_actions(b"#" * (1 << 20 | 1), "my.toml")
    with pytest.raises(ActionError, match=r"no\.toml cannot be read: No such file"):
        read_actions(tmp_path / "no.toml")


def test_a_damaged_file_is_refused_in_one_line_or_read() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(GOOD.encode())
        for _ in range(int(rng.integers(1, 4))):
            at, end = sorted(rng.integers(0, len(data), 2).tolist())
            match rng.integers(3):
                case 0:
                    data[at] = int(rng.integers(256))
                case 1:
                    del data[at : at + (end - at) % 20]
                case _:
                    data[at:at] = data[end : end + 20]
        try:
            parse_actions(bytes(data), "my.toml", LABELS)
        except ActionError as error:
            assert "\n" not in str(error)  # noqa: PT017  # it may also be read
    for value in ("1e999", "10" * 400, "1979-05-27", "[]", "{}", "[[1]]", "nan", '""'):
        for key in ("on", "do", "when", "hand", "task", "keys", "timeout_s"):
            with pytest.raises(ActionError):
                parse_actions(f'[[action]]\non = "*"\ndo = "osc"\n{key} = {value}'.encode(), "my.toml", LABELS)


def test_the_labels_of_paper_may_be_joined_to_numbers() -> None:
    text = b'[[action]]\non = "17"\ndo = "type"'
    assert parse_actions(text, "my.toml", ["1", "7"], joined=True)[0].on == ("17",)
    with pytest.raises(ActionError, match="has no label '17'"):
        parse_actions(text, "my.toml", ["1", "7"])


def test_placeholders_are_replaced_once_and_braces_can_be_written() -> None:
    firing = Firing(an_event("{hand}"), "paper")
    assert firing.fill("{label} {text} {confidence} {hand} {task} {event} {state} {{label}} {x} {}") == (
        "{hand} {hand} and more 0.97 left rps appeared paper {label} {x} {}"
    )
    assert firing.fill_address("http://x/{label}/{text}") == "http://x/%7Bhand%7D/%7Bhand%7D%20and%20more"


def test_the_example_is_valid_and_so_is_each_of_its_comments() -> None:
    text = example("rps", LABELS)
    assert [rule.describe().partition(":")[0] for rule in parse_actions(text.encode(), "x", LABELS)] == [
        "rock, appeared"
    ]
    head, *blocks = text.replace("# [[action]]", "[[action]]").split("[[action]]")
    for block in blocks:
        lines = [line.removeprefix("# ") for line in block.splitlines() if not line.startswith("# Take")]
        parse_actions("\n".join(["[[action]]", *lines]).encode(), "x", LABELS)
    assert all(line.startswith("#") or not line for line in head.splitlines())
    assert parse_actions(example('odd "name"', ['a "b" \\', "nothing"]).encode(), "x", ['a "b" \\'])


@pytest.mark.parametrize("name", KINDS)
def test_the_page_documents_each_kind_and_key(name: str) -> None:
    from dataclasses import fields

    from recognizer.system import paths

    page = (paths.ROOT / "docs" / "actions.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    assert [field.name for field in fields(KINDS[name]) if f"`{field.name}`" not in row] == []  # type: ignore[arg-type]
