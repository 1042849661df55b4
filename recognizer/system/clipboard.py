"""The text in the system's clipboard."""

import subprocess
import sys

COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "win32": (("powershell", "-NoProfile", "-Command", "Get-Clipboard"),),
    "darwin": (("pbpaste",),),
    "linux": (
        ("wl-paste", "--no-newline"),
        ("xclip", "-selection", "clipboard", "-out"),
        ("xsel", "--clipboard", "--output"),
    ),
}
WAIT_S = 2.0  # an owner of the clipboard that does not answer would block the window


def clipboard_text(platform: str = sys.platform) -> str | None:
    """The clipboard's text, without line ends at its end; "" if it holds none. None if no program can read it."""
    found = None
    for command in COMMANDS.get(platform, COMMANDS["linux"]):
        try:
            done = subprocess.run(command, capture_output=True, timeout=WAIT_S, check=False)
        except FileNotFoundError:
            continue
        except (OSError, subprocess.TimeoutExpired):
            found = found or ""
            continue
        if done.returncode == 0:
            return done.stdout.decode(errors="replace").rstrip("\r\n")
        found = ""  # wl-paste without Wayland, or an empty clipboard
    return found
