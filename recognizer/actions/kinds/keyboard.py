"""Keys for the program in front: `key` presses a combination, `type` types a text. pynput presses them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recognizer.actions.action import Action, ActionError, ActionFailed, Firing

if TYPE_CHECKING:
    from pynput import keyboard

# names of pynput's Key, which stand for a key that types nothing
NAMED = frozenset(
    (
        *(
            "alt",
            "alt_gr",
            "alt_l",
            "alt_r",
            "cmd",
            "cmd_l",
            "cmd_r",
            "ctrl",
            "ctrl_l",
            "ctrl_r",
            "shift",
            "shift_l",
            "shift_r",
        ),
        *(
            "backspace",
            "delete",
            "end",
            "enter",
            "esc",
            "home",
            "insert",
            "menu",
            "page_down",
            "page_up",
            "space",
            "tab",
        ),
        *("down", "left", "right", "up", "caps_lock", "num_lock", "pause", "print_screen", "scroll_lock"),
        *("media_next", "media_play_pause", "media_previous"),
        *("media_volume_down", "media_volume_mute", "media_volume_up"),
        *(f"f{number}" for number in range(1, 21)),
    )
)
ALSO = {"escape": "esc", "return": "enter", "control": "ctrl", "win": "cmd", "super": "cmd", "option": "alt"}


@dataclass(frozen=True)
class Key(Action):
    """Presses a key or a combination."""

    keys: str  # such as "right", "ctrl+shift+s" or "a"

    def check(self) -> None:
        for name in key_names(self.keys):
            if len(name) > 1 and name not in NAMED:
                raise ActionError(
                    f"keys: there is no key {name!r}. Give a character or one of {', '.join(sorted(NAMED))}, joined by +."
                )

    def describe(self) -> str:
        return f"press {self.keys}"

    def run(self, firing: Firing) -> None:
        controller, named = _keyboard()
        keys = [named[name] if len(name) > 1 else name for name in key_names(self.keys)]
        with controller.pressed(*keys[:-1]):
            controller.tap(keys[-1])


@dataclass(frozen=True)
class Type(Action):
    """Types a text."""

    text: str = "{label}"

    def describe(self) -> str:
        return f"type {self.text!r}"

    def run(self, firing: Firing) -> None:
        controller, _ = _keyboard()
        controller.type(firing.fill(self.text))


def key_names(keys: str) -> list[str]:
    """The names in a combination. "+" alone, or at the end as in "ctrl++", is the key itself. Raises ActionError."""
    names = [*keys[:-2].split("+"), "+"] if keys.endswith("++") else ["+"] if keys == "+" else keys.split("+")
    names = [name.strip() if len(name) > 1 else name for name in names]
    if not all(names):
        raise ActionError(f'keys: {keys!r} is no combination. Write, for example, "ctrl+s".')
    return [ALSO.get(name.lower(), name.lower()) if len(name) > 1 else name for name in names]


def _keyboard() -> "tuple[keyboard.Controller, type[keyboard.Key]]":
    """Raises ActionFailed if no keys can be pressed here."""
    try:
        from pynput import keyboard
    except ModuleNotFoundError:
        raise
    except ImportError as error:  # pynput connects to the X server when it is imported
        raise ActionFailed("No screen takes keys here. On Linux this needs X11, or XWayland.") from error
    return keyboard.Controller(), keyboard.Key
