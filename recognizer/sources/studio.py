"""A source of rendered frames."""

import time
from collections.abc import Iterator

from recognizer.sources.source import Source
from recognizer.studio.scenes import Studio
from recognizer.values import Frame


class StudioSource(Source):
    """An endless rendered scene. `paced` makes it run in real time and drop late frames."""

    def __init__(self, scene: str, size_wh: tuple[int, int], fps: float, *, paced: bool = False) -> None:
        super().__init__("studio", live=paced)
        self._open_scene = lambda scene: Studio(scene, size_wh, fps)
        self._studio = self._open_scene(scene)
        self._fps = fps
        self._paced = paced

    def show(self, scene: str) -> None:
        """Switch to another scene. Raises SettingsError for an unknown scene."""
        self._studio = self._open_scene(scene)

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        opened_s = time.perf_counter()
        while not self._stopping.is_set():
            if self._paced:
                elapsed_s = time.perf_counter() - opened_s
                index = max(index, int(elapsed_s * self._fps))
                if self._stopping.wait(max(0.0, index / self._fps - elapsed_s)):
                    return
            yield self._studio.frame(index)
            index += 1
