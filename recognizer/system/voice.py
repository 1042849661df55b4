"""The system's voice."""

import subprocess
import sys
import threading
from collections.abc import Callable

# The text comes on stdin, so that no text is taken for an option.
WINDOWS_SCRIPT = (
    "Add-Type -AssemblyName System.Speech; [Console]::InputEncoding = [Text.Encoding]::UTF8; "
    "(New-Object System.Speech.Synthesis.SpeechSynthesizer).Speak([Console]::In.ReadToEnd())"
)
COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "win32": (("powershell", "-NoProfile", "-Command", WINDOWS_SCRIPT),),
    "darwin": (("say", "-f", "-"),),
    "linux": (("spd-say", "--wait", "--pipe-mode"), ("espeak-ng", "--stdin"), ("espeak", "--stdin")),
}
LANGUAGE_OPTIONS = {"spd-say": "-l", "espeak-ng": "-v", "espeak": "-v"}
TIME_LIMIT_S = 60.0
NO_VOICE = "No voice found. Install one, such as espeak-ng (apt install espeak-ng)."


def say(text: str, language: str = "en", platform: str = sys.platform) -> str:
    """Speak the text and wait for its end. Return "", or one line that says why it was not spoken."""
    reason = NO_VOICE
    for command in COMMANDS.get(platform, COMMANDS["linux"]):
        option = LANGUAGE_OPTIONS.get(command[0])
        words = [*command, *([option, language] if option else [])]
        try:
            done = subprocess.run(
                words, input=text, encoding="utf-8", capture_output=True, timeout=TIME_LIMIT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return ""
        problem = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[0]
        reason = f"{command[0]} did not speak: {problem}"
    return reason


def say_in_background(text: str, language: str, report: Callable[[str], None]) -> None:
    """Speak without waiting. `report` gets the reason if it fails, in another thread."""

    def speak() -> None:
        if reason := say(text, language):
            report(reason)

    threading.Thread(target=speak, name="voice", daemon=True).start()
