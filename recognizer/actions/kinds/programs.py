"""Programs of this machine: `command` runs one, `open` opens an address, `say`, `sound` and `notify` use the system's."""

import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from recognizer.actions.action import PLACEHOLDER, Action, ActionError, ActionFailed, Firing, check_timeout

SCHEMES = ("http", "https", "mailto")  # other addresses may start programs
CODE_OPTIONS = ("-c", "-e", "/c", "-command", "--eval")  # of shells and interpreters: what follows is code
LONGEST_S = 60.0  # for the system's own programs: a spoken sentence, a sound
POWERSHELL = ("powershell", "-NoProfile", "-NonInteractive", "-Command")
# texts reach these programs through stdin, so that they can contain neither options nor code
SPEAK_ON_WINDOWS = (
    "Add-Type -AssemblyName System.Speech;"
    "(New-Object System.Speech.Synthesis.SpeechSynthesizer).Speak([Console]::In.ReadToEnd())"
)
NOTIFY_ON_WINDOWS = (
    "Add-Type -AssemblyName System.Windows.Forms; $icon = New-Object System.Windows.Forms.NotifyIcon;"
    "$icon.Icon = [System.Drawing.SystemIcons]::Information; $icon.Visible = $true;"
    "$icon.ShowBalloonTip(5000, 'recognizer', [Console]::In.ReadToEnd(), 'Info'); Start-Sleep 5; $icon.Dispose()"
)
PLAY_ON_WINDOWS = "(New-Object System.Media.SoundPlayer ([Console]::In.ReadToEnd())).PlaySync()"
PLAYERS_ON_LINUX = (
    ("pw-play",),
    ("paplay",),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("aplay", "-q"),
)


@dataclass(frozen=True)
class Command(Action):
    """Runs a program with arguments. No shell reads them."""

    words: tuple[str, ...]
    timeout_s: float = 30.0  # then the program is ended

    def check(self) -> None:
        if not self.words:
            raise ActionError('words: name a program, such as ["xdg-open", "notes.txt"].')
        for option, code in pairwise(self.words):
            if option.lower() in CODE_OPTIONS and any(found[1] for found in PLACEHOLDER.finditer(code)):
                raise ActionError(
                    f"words: a label may be code itself. Give it as a word of its own after {option} CODE."
                )
        check_timeout(self.timeout_s)

    def describe(self) -> str:
        return f"run {' '.join(self.words)}"

    def run(self, firing: Firing) -> None:
        arguments = [_argument(firing, word) for word in self.words[1:]]
        run_program([self.words[0], *arguments], timeout_s=self.timeout_s)


@dataclass(frozen=True)
class Open(Action):
    """Opens an address in the browser."""

    address: str

    def check(self) -> None:
        if urlsplit(self.address).scheme not in SCHEMES:
            raise ActionError(f"address: {self.address!r} is no address. It begins with https://, http:// or mailto:.")

    def describe(self) -> str:
        return f"open {self.address}"

    def run(self, firing: Firing) -> None:
        if not webbrowser.open(firing.fill_address(self.address)):
            raise ActionFailed("No browser was found. Install one, or set BROWSER.")


@dataclass(frozen=True)
class Say(Action):
    """Says a text with the system's voice."""

    text: str = "{label}"
    voice: str = ""  # as the system calls it, such as "nl" for espeak-ng or "Anna" on macOS
    file: str = ""  # write the speech to this file instead: WAV with espeak-ng, AIFF on macOS

    def describe(self) -> str:
        return f"say {self.text!r}" + (f" into {self.file}" if self.file else "")

    def run(self, firing: Firing) -> None:
        say(firing.fill(self.text), self.voice, self.file)


@dataclass(frozen=True)
class Sound(Action):
    """Plays a sound file."""

    file: str

    def check(self) -> None:
        if not Path(self.file).is_file():
            raise ActionError(f"file: {self.file} is not there. Check its name and folder.")

    def describe(self) -> str:
        return f"play {self.file}"

    def run(self, firing: Firing) -> None:
        path = str(Path(self.file).absolute())
        if sys.platform == "win32":
            run_program([*POWERSHELL, PLAY_ON_WINDOWS], path)
        elif sys.platform == "darwin":
            run_program(["afplay", path])
        else:
            run_program([*first_installed(PLAYERS_ON_LINUX, "plays sounds", "pipewire-bin"), path])


@dataclass(frozen=True)
class Notify(Action):
    """Shows a notification of the desktop."""

    text: str = "{label}"

    def describe(self) -> str:
        return f"show the notification {self.text!r}"

    def run(self, firing: Firing) -> None:
        text = firing.fill(self.text)
        if sys.platform == "win32":
            run_program([*POWERSHELL, NOTIFY_ON_WINDOWS], text)
        elif sys.platform == "darwin":
            script = 'on run words\ndisplay notification (item 1 of words) with title "recognizer"\nend run'
            run_program(["osascript", "-e", script, text])
        else:
            program = first_installed([("notify-send",)], "shows notifications", "libnotify-bin")
            run_program([*program, "--app-name=recognizer", "--", "recognizer", text])


def say(text: str, voice: str = "", file: str = "") -> None:
    """Say a text and wait for its end; `voice` and `file` as of `Say`. Raises ActionFailed."""
    run_program(_speech_program(voice, file), text)


def _speech_program(voice: str, file: str) -> list[str]:
    """The program that says what it gets on stdin, with its options."""
    if sys.platform == "win32":
        return [*POWERSHELL, SPEAK_ON_WINDOWS]
    chosen = ["-v", voice] if voice else []
    if sys.platform == "darwin":
        return ["say", *chosen, *(["-o", file] if file else []), "-f", "-"]
    (program,) = first_installed([("espeak-ng",), ("espeak",)], "speaks", "espeak-ng")
    return [program, *chosen, *(["-w", file] if file else []), "--stdin"]


def first_installed(programs: Sequence[Sequence[str]], does: str, package: str) -> Sequence[str]:
    """The first of the programs, each with its options, that is installed. Raises ActionFailed."""
    for words in programs:
        if shutil.which(words[0]):
            return words
    raise ActionFailed(f"No program that {does} was found. Install it: sudo apt install {package}")


def run_program(words: Sequence[str], text: str | None = None, timeout_s: float = LONGEST_S) -> None:
    """Run a program, with a text on its stdin. Raises ActionFailed if it cannot be run, fails, or takes too long."""
    try:
        given = None if text is None else text.encode()
        done = subprocess.run(
            words,
            check=False,
            timeout=timeout_s,
            stdout=sys.__stderr__ or subprocess.DEVNULL,  # stdout may be for events
            stderr=subprocess.PIPE,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
        )
    except subprocess.TimeoutExpired as error:
        raise ActionFailed(f"{words[0]} was ended after {timeout_s:g} s.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ActionFailed(f"{words[0]} cannot be run: {reason}. Check its name.") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ActionFailed(f"{words[0]} ended with {done.returncode}{': ' if said else ''}{''.join(said)[:200]}")


def _argument(firing: Firing, word: str) -> str:
    """The word with its values. Raises ActionFailed if a value would make an option of it."""
    argument = firing.fill(word)
    if argument.startswith("-") and not word.startswith("-"):
        raise ActionFailed(f"{argument!r} would be an option of the program. Rename the label.")
    return argument
