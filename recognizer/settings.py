"""What a run is to do: frozen, validated when it is made."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from recognizer.errors import SettingsError

TASKS = ("digits", "letters", "rps")
STUDIO_SCENES = {"digits": "digits", "letters": "signs", "rps": "rps"}  # what the studio shows for a task, or else …
STUDIO_SCENE_OF_REGION = {"paper": "digits", "hand": "signs", "box": "rps"}  # … for a task of the user's own
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")  # shorter ones can be guessed, others do not fit into a header or cookie
HEADLESS_FRAMES = 90  # of an endless source when nobody is there to press q: three seconds of a 30-fps camera


@dataclass(frozen=True)
class Settings:
    """One run of the live loop."""

    source: str = "auto"  # "auto", a camera's number, studio, a file, a folder or a URL
    task: str = "digits"
    models: Path = Path("models")
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


@dataclass(frozen=True)
class ServeSettings:
    """One run of the server."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0 for one that is free
    token: str | None = None  # asked of every client; there must be one where others than this machine can connect
    workers: int = 1  # processes that read pictures
    models: Path = Path("models")
    names: tuple[str, ...] = ()  # further names that this machine is reached under
    certificate: Path | None = None  # PEM file: then it is https
    key: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"--port {self.port} is not between 0 and 65535. Try 8000.")
        if not 1 <= self.workers <= 64:
            raise SettingsError(f"--workers {self.workers} is not between 1 and 64. Try the number of cores.")
        if self.token is not None and not TOKEN.fullmatch(self.token):
            raise SettingsError(
                "--token is not 16 to 200 letters, digits, - and _. Leave it out to have one made and printed."
            )
        if self.token is None and not self.is_loopback:
            raise SettingsError(f"--host {self.host} lets other machines in, and there is no token. Add --token.")
        if (self.certificate is None) != (self.key is None):
            raise SettingsError("--certificate and --key belong together. Give both, or neither.")
        for path in (self.certificate, self.key):
            if path is not None and not path.is_file():
                raise SettingsError(f"{path} is not there. Give a PEM file, or leave --certificate and --key out.")

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a name or address is that of this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
