"""The settings of a run: frozen, and validated when created."""

from dataclasses import dataclass
from pathlib import Path

from recognizer.errors import SettingsError

HEADLESS_FRAMES = 90  # limit for an endless source, since nobody can press q: three seconds at 30 fps


@dataclass(frozen=True)
class Settings:
    """The settings of one run of the live loop. Raises SettingsError for a value out of range."""

    source: str = "auto"  # "auto", a camera's number, studio, a file, a folder or a URL
    task: str = "digits"
    size_wh: tuple[int, int] = (1280, 720)  # pixels, requested from cameras and the studio
    fps: float = 30.0  # frames per second, requested from cameras and the studio
    mirror: bool | None = None  # flip the display; None: only for cameras and not for paper, which is read
    unmirror: bool = False  # flip the source's frames back, since flipped writing cannot be read
    headless: bool = False
    play: bool = False  # rock, paper, scissors against the computer
    spell: bool = False  # signs that are held become a line of text
    practice: bool = False  # signs are asked for, and the hand is compared with them
    language: str = "en"  # of the words that are suggested
    type_words: bool = False  # into the window in front
    max_frames: int | None = None
    events: str | None = None  # a file to which events are appended as JSON lines; "-" is stdout
    actions: Path | None = None  # the file of actions; None: the one beside the task, if there is one
    dry_run: bool = False  # print what actions would do
    output: Path = Path("output")  # where screenshots and the files of a headless run go

    def __post_init__(self) -> None:
        width, height = self.size_wh
        if not (64 <= width <= 7680 and 64 <= height <= 4320):
            raise SettingsError(f"--size {width}x{height} is not between 64x64 and 7680x4320. Try 1280x720.")
        if not 1 <= self.fps <= 240:
            raise SettingsError(f"--fps {self.fps:g} is not between 1 and 240. Try 30.")
        if self.play and self.task != "rps":
            raise SettingsError(f"--play is rock, paper, scissors, and the task is {self.task}. Add --task rps.")
        if self.max_frames is not None and self.max_frames < 1:
            raise SettingsError(f"--max-frames {self.max_frames} is not at least 1.")
