"""The text in the system's clipboard."""

import subprocess
import sys

Commands = dict[str, tuple[tuple[str, ...], ...]]
PASTE: Commands = {
    "win32": (("powershell", "-NoProfile", "-Command", "Get-Clipboard"),),
    "darwin": (("pbpaste",),),
    "linux": (
        ("wl-paste", "--no-newline"),
        ("xclip", "-selection", "clipboard", "-out"),
        ("xsel", "--clipboard", "--output"),
    ),
}
WINDOWS_COPY = "[Console]::InputEncoding = [Text.Encoding]::UTF8; Set-Clipboard -Value ([Console]::In.ReadToEnd())"
COPY: Commands = {  # these read the text on stdin
    "win32": (("powershell", "-NoProfile", "-Command", WINDOWS_COPY),),
    "darwin": (("pbcopy",),),
    "linux": (("wl-copy",), ("xclip", "-selection", "clipboard", "-in"), ("xsel", "--clipboard", "--input")),
}
WAIT_S = 2.0  # an owner of the clipboard that does not answer would block the window


def clipboard_text(platform: str = sys.platform) -> str | None:
    """The clipboard's text, without line ends at its end; "" if it holds none. None if no program can read it."""
    found = None
    for command in PASTE.get(platform, PASTE["linux"]):
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


def copy_text(text: str, platform: str = sys.platform) -> bool:
    """Put the text into the clipboard. Return False if no program can."""
    for command in COPY.get(platform, COPY["linux"]):
        try:
            done = subprocess.run(
                command,
                input=text.encode(),
                # xclip stays in the background as the owner, with what it inherits: its end would be waited for
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=WAIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return True
    return False
