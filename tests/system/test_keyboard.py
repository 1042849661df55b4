import ctypes
import ctypes.util
import random

import pytest

from recognizer.system import keyboard, x11
from recognizer.system.keyboard import BACKSPACE, ENTER, ESC, NAMED_KEYS, PASTE, TAB, Keyboard, latin_key


def x11_keys(*codes: int, held: int = 0) -> str:
    linux = Keyboard("linux", modifiers=lambda: held)
    return "".join(linux.key(code) for code in codes)


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (0x71, "q"),
        (0x0D, ENTER),
        (0x1B, ESC),
        (0x08, BACKSPACE),
        (0x09, TAB),
        (-0x3C, "ä"),
        (-0x37, "é"),
        (-0x24, "ü"),
        (-0x2F, "ñ"),
        (-0x39, "ç"),
        (-0x21, "ß"),
        (0x1B3, "ł"),
        (0x6CA, "й"),
        (0x6EA, "Й"),
        (0x6A6, "і"),
        (0x7E1, "α"),
        (0x7F2, "σ"),
        (0x7F3, "ς"),
        (0x7B1, "ά"),
        (0xCE0, "א"),
        (0x5D6, "ض"),
        (0x4C0, "タ"),
        (0x1003042, "あ"),
        (0x1004F60, "你"),
        (0x101F600, "😀"),
        (0x20AC, "€"),
    ],
)
def test_a_character_that_the_linux_window_reports(code, key):
    assert x11_keys(code) == key


@pytest.mark.parametrize(
    "code",
    [
        0xFF7F,
        0xFFE1,
        0xFFE5,
        0xFFE9,
        0xFFEB,
        0xFE03,
        0xFF20,
        0xFF31,
        0xFF67,
        0x1008FF14,
        0x0B,
        0x00,
        0x10D,
        0x7F,
        -0x80,
    ],
)
def test_lock_shift_and_other_keys_without_a_character_are_no_keys(code):
    assert x11_keys(code) == ""


@pytest.mark.parametrize(
    ("held", "typed"),
    [(0, "hä1"), (x11.SHIFT, "HÄ1"), (x11.CAPS_LOCK, "HÄ1"), (x11.SHIFT | x11.CAPS_LOCK, "hä1"), (0x10, "hä1")],
)
def test_shift_and_caps_lock_make_capitals(held, typed):
    assert x11_keys(0x68, -0x3C, 0x31, held=held) == typed


def test_characters_without_one_capital_letter_stay_under_caps_lock():
    assert x11_keys(-0x21, -0x4B, held=x11.CAPS_LOCK) == "ßµ"


@pytest.mark.parametrize("held", [x11.CONTROL, x11.ALT, x11.SUPER, x11.SHIFT | x11.ALT])
def test_a_shortcut_of_the_desktop_is_no_key(held):
    assert x11_keys(0x71, 0x6CA, 0xFF55, held=held) == ""


def test_a_dead_key_puts_its_accent_on_the_next_letter():
    assert x11_keys(0xFE51, 0x65) == "é"
    assert x11_keys(0xFE53, 0xFFE1, 0x6E, held=x11.SHIFT) == "Ñ"
    assert x11_keys(0xFE57, 0x71, 0x75) == "qu"
    assert x11_keys(0xFE51, 0x20) == " "


@pytest.mark.parametrize(
    ("code", "key"), [(0x100071, "q"), (0x110051, "Q"), (0x10FF51, "Left"), (0x10FF8D, ENTER), (0x10FFB1, "1")]
)
def test_gtk_windows_report_the_modifiers_above_the_keysym(code, key):
    assert x11_keys(code) == key


@pytest.mark.parametrize(("name", "codes"), NAMED_KEYS.items())
def test_a_named_key_has_its_name_on_every_system(name, codes):
    x11_code, windows_code, macos_code = codes
    assert Keyboard("linux", modifiers=lambda: 0).key(x11_code) == name
    assert Keyboard("win32").key(windows_code << 16) == name
    assert Keyboard("darwin").key(macos_code) == name


def test_windows_reports_characters_in_its_code_page():
    windows = Keyboard("win32", encoding="cp1251")
    assert [windows.key(code) for code in (0x51, 0xE9, 0xC9, 0x0D, 0x08, 0x1B, 0x09)] == [
        *("Q", "й", "Й", ENTER, BACKSPACE, ESC, TAB)
    ]
    assert Keyboard("win32", encoding="cp1252").key(0xE9) == "é"
    assert Keyboard("win32", encoding="cp932").key(0x82) == ""  # the first of two bytes
    assert [windows.key(code) for code in (0x03, 0x7F, 0x90 << 16)] == [""] * 3  # Ctrl-C, Ctrl-Backspace, Num Lock


def test_macos_reports_utf_16():
    macos = Keyboard("darwin")
    assert [macos.key(code) for code in (0x51, 0xE9, 0x439, 0x3042, 0x7F, 0x0D, 0x03)] == [
        *("Q", "é", "й", "あ", BACKSPACE, ENTER, ENTER)
    ]
    assert [macos.key(code) for code in (0xF739, 0xF710, 0xD83D, 0x19)] == [
        ""
    ] * 4  # Clear, F13, half an emoji, Shift-Tab


@pytest.mark.parametrize("key", ["q", "й", "Й", "ض", "た", "タ", "ㅂ", "ქ", "ճ"])
def test_q_has_its_place_on_other_layouts(key):
    assert latin_key(key) == "q"


def test_other_keys_stay_as_they_are():
    assert [latin_key(key) for key in ("Q", "/", ";", "é", "Left", "٣", "")] == ["Q", "/", ";", "é", "Left", "3", ""]


def test_no_layout_has_two_places_for_a_character():
    for layout in keyboard.LAYOUTS:
        assert len(layout) == len(set(layout)) == 26


def test_keysyms_match_those_of_libxkbcommon():
    library = ctypes.util.find_library("xkbcommon")
    if library is None:
        pytest.skip("needs libxkbcommon")
    to_utf32 = ctypes.CDLL(library).xkb_keysym_to_utf32
    sets = (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0C, 0x0D, 0x13, 0x20)
    expected = {high << 8 | low: to_utf32(high << 8 | low) for high in sets for low in range(0xA0, 0x100)}
    differing = {code for code, character in expected.items() if character and x11_keys(code) != chr(character)}
    # the kana's voicing marks combine here; the others are on no key
    assert differing <= {0x4DE, 0x4DF, 0x7AE, 0xDDE}


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_every_code_is_a_character_a_name_or_no_key(platform):
    keys = Keyboard(platform, modifiers=lambda: 0, encoding="cp1252")
    rng = random.Random(0)
    codes = [
        *range(-0x200, 0x2000),
        *range(0xD700, 0x10100),
        *(rng.randrange(-(1 << 31), 1 << 31) for _ in range(20000)),
    ]
    for code in codes:
        key = keys.key(code)
        single = len(key) == 1 and key.isprintable()
        assert key in ("", ENTER, ESC, BACKSPACE, TAB, PASTE) or key in NAMED_KEYS or single, (hex(code), key)


def test_without_an_x_server_no_modifier_is_held(monkeypatch):
    monkeypatch.setenv("DISPLAY", "")
    assert not x11.answers()
    assert x11.modifiers() == 0


def test_the_bytes_of_an_east_asian_code_page_are_one_character() -> None:
    keyboard = Keyboard("win32", encoding="cp932")
    assert [keyboard.key(code) for code in "アあq".encode("cp932")] == ["", "ア", "", "あ", "q"]
    assert [keyboard.key(code) for code in (0x83, 0x25 << 16, 0x41)] == ["", "Left", "A"]


@pytest.mark.parametrize("character", ["\ufe50", "\ufe54", "\U0002fe50"])
def test_a_character_that_shares_its_last_bits_with_a_dead_key_is_typed(character: str) -> None:
    keyboard = Keyboard("linux", modifiers=lambda: 0)
    assert keyboard.key(0x1000000 + ord(character)) == (character if character.isprintable() else "")
    assert keyboard.key(ord("e")) == "e"
