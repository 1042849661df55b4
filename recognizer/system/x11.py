"""The X server, asked with libxcb: whether it answers, and which modifier keys are held."""

import ctypes
import os
from collections.abc import Callable
from functools import cache
from typing import Any

SHIFT, CAPS_LOCK, CONTROL, ALT, SUPER = 0x01, 0x02, 0x04, 0x08, 0x40  # the bits of a modifier mask
KEY_PRESS, KEY_PRESS_MASK, EVENT_MASK = 2, 1, 2048  # of X's protocol


class _Screens(ctypes.Structure):
    """xcb_screen_iterator_t. A screen begins with the id of its root window."""

    _fields_ = [("root", ctypes.POINTER(ctypes.c_uint32)), ("rem", ctypes.c_int), ("index", ctypes.c_int)]


class _Cookie(ctypes.Structure):
    """What libxcb returns for a request, to fetch its reply with."""

    _fields_ = [("sequence", ctypes.c_uint)]


class _Pointer(ctypes.Structure):
    """xcb_query_pointer_reply_t"""

    _fields_ = [("before", ctypes.c_uint8 * 24), ("mask", ctypes.c_uint16)]


class _Focus(ctypes.Structure):
    """xcb_get_input_focus_reply_t"""

    _fields_ = [("before", ctypes.c_uint8 * 8), ("window", ctypes.c_uint32)]


class _KeyPress(ctypes.Structure):
    """xcb_key_press_event_t. Its mask holds the modifiers at the press."""

    _fields_ = [("type", ctypes.c_uint8), ("between", ctypes.c_uint8 * 27), ("mask", ctypes.c_uint16)]


class Connection:
    """A connection to the X server that DISPLAY names."""

    def __init__(self) -> None:
        """Raises OSError if there is no server or no libxcb."""
        if not os.environ.get("DISPLAY"):
            raise OSError("DISPLAY is not set")
        self._xcb = _libxcb()
        self._connection = ctypes.c_void_p(self._xcb.xcb_connect(None, None))
        if not self.is_open:
            self.close()
            raise OSError("the X server does not answer")
        setup = ctypes.c_void_p(self._xcb.xcb_get_setup(self._connection))
        self._watched = 0  # the window whose key presses are watched
        self._root = ctypes.c_uint32(self._xcb.xcb_setup_roots_iterator(setup).root[0])

    @property
    def is_open(self) -> bool:
        return not self._xcb.xcb_connection_has_error(self._connection)

    def modifiers(self) -> int:
        """The modifiers of the last key press in the focused window. Call it after each press, while it has the focus.

        Before the first call, presses are not watched: then the modifiers that are held now count. 0 without a server.
        """
        window = self._focused_window()
        if window != self._watched:
            self._watched = window
            mask = ctypes.c_uint32(KEY_PRESS_MASK)
            self._xcb.xcb_change_window_attributes(self._connection, window, EVENT_MASK, ctypes.byref(mask))
            self._xcb.xcb_flush(self._connection)
        presses = self._presses()
        return presses[-1] if presses else self._held_now()

    def _presses(self) -> list[int]:
        """The modifier masks of all key presses since the last call."""
        masks = []
        while event := self._xcb.xcb_poll_for_event(self._connection):
            if event.contents.type & 0x7F == KEY_PRESS:
                masks.append(int(event.contents.mask))
            _libc().free(event)
        return masks

    def _held_now(self) -> int:
        cookie = self._xcb.xcb_query_pointer(self._connection, self._root)
        reply = self._xcb.xcb_query_pointer_reply(self._connection, cookie, None)
        return _taken(reply, lambda pointer: pointer.mask)

    def _focused_window(self) -> int:
        cookie = self._xcb.xcb_get_input_focus(self._connection)
        reply = self._xcb.xcb_get_input_focus_reply(self._connection, cookie, None)
        return _taken(reply, lambda focus: focus.window)

    def close(self) -> None:
        self._xcb.xcb_disconnect(self._connection)


def _taken(reply: Any, value: Callable[[Any], int]) -> int:
    """The value in a reply, which is then freed; 0 if the server has gone."""
    if not reply:
        return 0
    taken = int(value(reply.contents))
    _libc().free(reply)
    return taken


def answers() -> bool:
    """Whether there is an X server that answers."""
    try:
        Connection().close()
    except OSError:
        return False
    return True


def modifiers() -> int:
    """The mask of the modifier keys held at the last key press; 0 without an X server. See Connection.modifiers."""
    connection = _connection(os.environ.get("DISPLAY"))
    return connection.modifiers() if connection is not None else 0


@cache
def _connection(display: str | None) -> Connection | None:
    try:
        return Connection()
    except OSError:
        return None


@cache
def _libxcb() -> Any:
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = xcb.xcb_get_setup.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    xcb.xcb_setup_roots_iterator.restype = _Screens
    xcb.xcb_flush.argtypes = [ctypes.c_void_p]
    xcb.xcb_change_window_attributes.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p]
    xcb.xcb_poll_for_event.argtypes = [ctypes.c_void_p]
    xcb.xcb_poll_for_event.restype = ctypes.POINTER(_KeyPress)
    for request, fetch, reply in (
        (xcb.xcb_query_pointer, xcb.xcb_query_pointer_reply, _Pointer),
        (xcb.xcb_get_input_focus, xcb.xcb_get_input_focus_reply, _Focus),
    ):
        request.restype = _Cookie
        fetch.argtypes = [ctypes.c_void_p, _Cookie, ctypes.c_void_p]
        fetch.restype = ctypes.POINTER(reply)
    return xcb


@cache
def _libc() -> Any:
    libc = ctypes.CDLL(None)
    libc.free.argtypes = [ctypes.c_void_p]
    return libc
