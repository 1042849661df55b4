"""All kinds of actions by name: those here, and those of installed plug-ins."""

from functools import cache
from importlib.metadata import entry_points
from inspect import isclass

from recognizer.actions.action import Action, ActionError
from recognizer.actions.kinds.keyboard import Key, Type
from recognizer.actions.kinds.mqtt import Mqtt
from recognizer.actions.kinds.osc import Osc
from recognizer.actions.kinds.programs import Command, Notify, Open, Say, Sound
from recognizer.actions.kinds.serial_port import Serial
from recognizer.actions.kinds.webhook import Webhook
from recognizer.system.text import one_line

PLUG_INS = "recognizer.actions"  # the entry point group in which a package names its kinds

KINDS: dict[str, type[Action]] = {
    "key": Key,
    "type": Type,
    "command": Command,
    "open": Open,
    "webhook": Webhook,
    "mqtt": Mqtt,
    "osc": Osc,
    "serial": Serial,
    "say": Say,
    "sound": Sound,
    "notify": Notify,
}


@cache
def plug_in_names() -> tuple[str, ...]:
    """The kinds of installed plug-ins, sorted. A plug-in cannot take the place of a kind that is built in."""
    return tuple(sorted({entry.name for entry in entry_points(group=PLUG_INS)} - set(KINDS)))


def kind_names() -> list[str]:
    return [*KINDS, *plug_in_names()]


def kind_of(name: str) -> type[Action]:
    """The class of a kind. Only the plug-in that has the name is imported. Raises ActionError."""
    if name in KINDS:
        return KINDS[name]
    (entry,) = list(entry_points(group=PLUG_INS, name=name))[:1]
    try:
        kind = entry.load()
    except Exception as error:  # a plug-in may raise anything
        raise ActionError(
            f"the plug-in {entry.value} cannot be loaded ({one_line(error)}). Install it again."
        ) from error
    if not (isclass(kind) and issubclass(kind, Action)):
        raise ActionError(f"the plug-in {entry.value} is no class of recognizer.actions.action.Action.")
    return kind
