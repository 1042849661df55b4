"""The keys of OpenCV's windows: what `cv2.waitKeyEx` returns on each system, as a character or the name of a key.

The codes are documented in the sources of OpenCV's highgui, for window_QT.cpp (Linux), window_w32.cpp and window_cocoa.mm:

- Linux: the X keysym. But Qt turns Latin-1 letters into lower-case ASCII or a signed byte, without Shift and Caps Lock.
- Windows: a byte of a character in the system's code page, two for most East Asian ones, or the virtual-key code of a named
  key, shifted by 16 bits.
- macOS: a UTF-16 unit; named keys are in its private area.
"""

import codecs
import locale
import sys
import unicodedata
from collections.abc import Callable

from recognizer.system import x11

ENTER, ESC, BACKSPACE, TAB = "\r", chr(27), "\b", "\t"
PASTE = "\x16"  # Ctrl+V, which only Windows reports

# name: X keysym, virtual-key code of Windows, character of macOS (NSEvent.h)
NAMED_KEYS = {
    "Home": (0xFF50, 0x24, 0xF729),
    "Left": (0xFF51, 0x25, 0xF702),
    "Up": (0xFF52, 0x26, 0xF700),
    "Right": (0xFF53, 0x27, 0xF703),
    "Down": (0xFF54, 0x28, 0xF701),
    "Page Up": (0xFF55, 0x21, 0xF72C),
    "Page Down": (0xFF56, 0x22, 0xF72D),
    "End": (0xFF57, 0x23, 0xF72B),
    "Insert": (0xFF63, 0x2D, 0xF727),
    "Delete": (0xFFFF, 0x2E, 0xF728),
    **{f"F{n}": (0xFFBD + n, 0x6F + n, 0xF703 + n) for n in range(1, 13)},
}
X11_NAMES, WINDOWS_NAMES, MACOS_NAMES = (
    {codes[system]: name for name, codes in NAMED_KEYS.items()} for system in range(3)
)

# keysyms of GTK for keys that Qt, Windows and macOS report as control characters
X11_CONTROLS = {0xFF08: BACKSPACE, 0xFF09: TAB, 0xFF0D: ENTER, 0xFF8D: ENTER, 0xFF1B: ESC}
X11_KEYPAD = range(0xFFAA, 0xFFBA)  # with Num Lock: *+,-./ and the digits
# A dead key puts its mark on the next letter: grave, acute, circumflex, tilde, macron, breve, …
X11_DEAD = dict(
    enumerate("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327\u0328", start=0xFE50)
)
# The first byte of older keysyms names a character set, the second is the character in it (X.Org, keysymdef.h).
X11_CHARACTER_SETS = {
    0x01: "iso8859-2",
    0x02: "iso8859-3",
    0x03: "iso8859-4",
    0x04: "shift_jis",  # half-width katakana
    0x05: "iso8859-6",
    0x06: "koi8-u",
    0x07: "iso8859-7",
    0x0C: "iso8859-8",
    0x0D: "tis-620",
    0x13: "iso8859-15",
}
# where a keysym's second byte is not the character in that set
X11_OTHER = dict(
    [
        *enumerate("ђѓёєѕіїјљњћќґўџ", start=0x6A1),
        *enumerate("ЂЃЁЄЅІЇЈЉЊЋЌҐЎЏ", start=0x6B1),
        *enumerate("ΆΈΉΊΪ", start=0x7A1),
        *zip((0x7A7, 0x7A8, 0x7A9, 0x7AB), "ΌΎΫΏ", strict=True),
        *enumerate("άέήίϊΐόύϋΰώ", start=0x7B1),
        *zip((0x7D2, 0x7F2, 0x7F3), "Σσς", strict=True),
        (0x6B0, "№"),
        (0x13BE, "Ÿ"),
        (0x20AC, "€"),
    ]
)

QWERTY = "qwertyuiopasdfghjklzxcvbnm"
LAYOUTS = (  # the characters of the same keys on layouts without Latin letters
    "йцукенгшщзфывапролдячсмить",  # Russian; і is on the Ukrainian s
    ";ςερτυθιοπασδφγηξκλζχψωβνμ",  # Greek
    "/'קראטוןםפשדגכעיחלךזסבהנמצ",  # Hebrew
    "ضصثقفغعهخحشسيبلاتنمئءؤرﻻىة",  # Arabic
    "タテイスカンナニラセチトシハキクマノリツサソヒコミモ",  # Japanese kana
    "たていすかんなにらせちとしはきくまのりつさそひこみも",
    "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡ",  # Korean
    "ๆไำพะ\u0e31\u0e35รนยฟหกดเ\u0e49\u0e48าสผปแอ\u0e34\u0e37ท",  # Thai
    "\u094c\u0948\u093e\u0940\u0942बहगदज\u094b\u0947\u094d\u093f\u0941परकत\u0946\u0902मनवलस",  # Devanagari
    "ქწერტყუიოპასდფგჰჯკლზხცვბნმ",  # Georgian
    "ճփբսմուկըթջվգեանիտհժդչյզլք",  # Armenian
)
PLACES = {
    character: latin
    for layout in LAYOUTS
    for latin, character in zip(QWERTY, layout, strict=True)
    if not character.isascii()  # ; / ' are on Latin layouts too, elsewhere
} | {"і": "s"}


def latin_key(key: str) -> str:
    """The digit or lower-case Latin letter at the place of a key of another layout; other keys as they are."""
    if len(key) == 1 and key.isdecimal():
        return str(int(key))
    return PLACES.get(key.lower(), key)


class Keyboard:
    """Turns key codes into keys. It remembers a dead key until the next letter."""

    def __init__(
        self,
        platform: str = sys.platform,
        *,
        modifiers: Callable[[], int] = x11.modifiers,
        encoding: str | None = None,
    ) -> None:
        """`modifiers` returns X's mask of held modifiers. `encoding` is Windows' code page; default: this system's."""
        self._platform = platform
        self._modifiers = modifiers
        self._new_decoder = codecs.getincrementaldecoder(encoding or locale.getencoding())
        self._decoder = self._new_decoder("ignore")
        self._accent = ""

    def key(self, code: int) -> str:
        """The key of a code from `cv2.waitKeyEx`: a character, a name in NAMED_KEYS, or "" for every other key."""
        if self._platform == "win32":
            key = self._windows_key(code)
        elif self._platform == "darwin":
            key = _macos_key(code)
        elif code > 0 and code & 0xFFFF in X11_DEAD and not _is_unicode(code):
            self._accent, key = X11_DEAD[code & 0xFFFF], ""
        else:
            key = self._accented(self._x11_key(code))
        return key if key.isprintable() or key in (ENTER, ESC, BACKSPACE, TAB, PASTE) else ""

    def _windows_key(self, code: int) -> str:
        if code > 0xFFFF:
            self._decoder = self._new_decoder("ignore")
            return WINDOWS_NAMES.get(code >> 16, "")
        return self._decoder.decode(bytes([code])) if 0 <= code < 0x100 else chr(max(code, 0))

    def _x11_key(self, code: int) -> str:
        key = _x11_key(code)
        held = self._modifiers() if key else 0
        if held & (x11.CONTROL | x11.ALT | x11.SUPER):  # a shortcut of the desktop
            return ""
        if len(key) == 1 and ord(key) < 0x100 and bool(held & x11.SHIFT) != bool(held & x11.CAPS_LOCK):
            capital = key.upper()
            return capital if capital.lower() == key else key
        return key

    def _accented(self, key: str) -> str:
        if not key:
            return ""
        letter, self._accent = unicodedata.normalize("NFC", key + self._accent), ""
        return letter if len(letter) == 1 else key


def _x11_key(code: int) -> str:
    if -0x60 <= code < -1:  # Qt's signed byte is the capital, whether Shift is held or not
        return chr(code & 0xFF).lower()
    if code <= 0:
        return ""
    if _is_unicode(code):
        return chr(code & 0xFFFFFF)
    keysym = code & 0xFFFF if code < 0x10000000 else 0  # GTK puts the modifiers above; larger keysyms are media keys
    if keysym < 0x100:
        return chr(keysym)
    if keysym in X11_KEYPAD:
        return chr(keysym & 0x7F)
    if keysym >= 0xFD00:
        return X11_CONTROLS.get(keysym) or X11_NAMES.get(keysym, "")
    character_set = X11_CHARACTER_SETS.get(keysym >> 8) if keysym & 0xFF >= 0xA0 else None
    key = X11_OTHER.get(keysym) or _decoded(keysym & 0xFF, character_set)
    return unicodedata.normalize("NFKC", key) if character_set == "shift_jis" else key


def _is_unicode(code: int) -> bool:
    """Whether a keysym is a Unicode character."""
    return 0x1000000 <= code <= 0x110FFFF


def _macos_key(code: int) -> str:
    if code in (0x7F, 0x03):
        return BACKSPACE if code == 0x7F else ENTER  # 3 is Enter of the keypad
    return MACOS_NAMES.get(code) or (chr(code) if 0 <= code < 0x10000 else "")


def _decoded(byte: int, encoding: str | None) -> str:
    return bytes([byte]).decode(encoding, "ignore") if encoding else ""
