"""What a run is to do: frozen, validated when it is made."""

from dataclasses import dataclass
from pathlib import Path

from recognizer.errors import SettingsError

HEADLESS_FRAMES = 90  # of an endless source when nobody is there to press q: three seconds of a 30-fps camera


@dataclass(frozen=True)
class Settings:
    """One run of the live loop."""

    source: str = "auto"  # "auto", a camera's number, studio, a file, a folder or a URL
    task: str = "digits"
    size_wh: tuple[int, int] = (1280, 720)  # pixels asked of cameras and of the studio
    fps: float = 30.0  # frames a second asked of cameras and of the studio
    mirror: bool | None = None  # None: mirrored for a camera, as a person expects of a mirror, plain for the rest
    unmirror: bool = False  # the source gives a mirrored picture, in which no writing can be read
    headless: bool = False
    play: bool = False  # rock, paper, scissors against the computer
    max_frames: int | None = None
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
