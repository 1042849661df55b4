"""MediaPipe's own HandLandmarker: the fallback of the networks on LiteRT, and the reference that they are compared with."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from recognizer.errors import AssetError
from recognizer.finders.hand_detector import DOUBTFUL, HANDS, SURE, Accept, HandDetector
from recognizer.finders.hand_networks import PRESENCE, View
from recognizer.system.native import silent_stderr
from recognizer.values import Hand

BLANK = np.zeros((32, 32, 3), np.uint8)


class MediaPipeDetector(HandDetector):
    """Detects hands with MediaPipe. Raises AssetError if it cannot be opened. It runs threads until it is closed."""

    def __init__(self, task_path: Path, *, video: bool):
        self._sure = Landmarker(task_path, video=video, confidence=SURE, hands=HANDS)
        self._doubtful = Landmarker(task_path, video=video, confidence=DOUBTFUL, hands=1)

    def detect(self, image_bgr: np.ndarray, view: View, accept: Accept) -> list[Hand]:
        return self.follow(image_bgr, view, accept, 0.0)

    def follow(self, image_bgr: np.ndarray, view: View, accept: Accept, time_s: float) -> list[Hand]:
        shown_rgb, back = transform(view, image_bgr)
        for landmarker, doubtful in ((self._sure, False), (self._doubtful, True)):
            found = [_in_picture(hand, back) for hand in landmarker.detect(shown_rgb, time_s)]
            accepted = [hand for hand in found if accept(hand, doubtful)]
            if accepted:
                return accepted
            if found:
                landmarker.detect(BLANK, time_s)  # MediaPipe would follow the false detection; a blank image resets it
        return []

    def read_again(self, image_bgr: np.ndarray, hand: Hand, accept: Accept) -> Hand | None:
        return None  # MediaPipe always searches for palms

    def close(self) -> None:
        self._sure.close()
        self._doubtful.close()


class Landmarker:
    """MediaPipe's HandLandmarker with NumPy arrays. Raises AssetError if it cannot be opened."""

    def __init__(self, task_path: Path, *, video: bool, confidence: float, hands: int):
        with _without_tensorflow(), silent_stderr():
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

            mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
            options = vision.HandLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(task_path)),
                running_mode=mode,
                num_hands=hands,
                min_hand_detection_confidence=confidence,
                min_hand_presence_confidence=PRESENCE,
            )
            try:
                self._network = vision.HandLandmarker.create_from_options(options)
            except (RuntimeError, ValueError, OSError) as error:
                line = str(error).splitlines()[0]
                raise AssetError(
                    f"{task_path} is missing or damaged ({line}). Fetch it again: python -m recognizer assets"
                ) from error
            self._image: Callable[[np.ndarray], Any] = lambda image_rgb: mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB, data=image_rgb
            )
            # the networks print to stderr at the first picture, so it is run while stderr is silenced
            self._video, self._last_ms = video, 0
            self.detect(BLANK, 0.0)

    def detect(self, image_rgb: np.ndarray, time_s: float = 0.0) -> list[Hand]:
        """Hands in a picture (H, W, 3) uint8 RGB, in its pixels."""
        return [hand for hand, _ in self.detect_in_3d(image_rgb, time_s)]

    def detect_in_3d(self, image_rgb: np.ndarray, time_s: float = 0.0) -> list[tuple[Hand, np.ndarray]]:
        """Hands as above, and the joints (21, 3) float32 of each in metres from the middle of the hand."""
        image = self._image(np.ascontiguousarray(image_rgb))
        if self._video:
            # MediaPipe raises if the time does not increase, and cameras may repeat a time
            self._last_ms = max(self._last_ms + 1, round(1000 * time_s))
            result = self._network.detect_for_video(image, self._last_ms)
        else:
            result = self._network.detect(image)
        height, width = image_rgb.shape[:2]
        pixels = np.float32([width, height, width])
        return [
            (Hand(_array(points) * pixels, sides[0].category_name.lower(), float(sides[0].score)), _array(world))
            for points, sides, world in zip(
                result.hand_landmarks, result.handedness, result.hand_world_landmarks, strict=True
            )
        ]

    def close(self) -> None:
        with silent_stderr():
            self._network.close()


def transform(view: View, image_bgr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transform a whole picture (H, W, 3) uint8 BGR. Returns it as RGB, and the (2, 3) affine matrix back to its pixels."""
    image_rgb = cv2.cvtColor(view.adjust(image_bgr, image_bgr), cv2.COLOR_BGR2RGB)
    border = round(view.padding * max(image_bgr.shape[:2]))
    if border:
        image_rgb = cv2.copyMakeBorder(image_rgb, border, border, border, border, view.palm_border)
    back = np.array([[1, 0, 0], [0, 1, 0]], np.float64)
    if view.tilt_deg:
        height, width = image_rgb.shape[:2]
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), view.tilt_deg, 1.0)
        image_rgb = cv2.warpAffine(image_rgb, turn, (width, height), borderMode=view.palm_border)
        back = cv2.invertAffineTransform(turn)
    back[:, 2] -= border
    return image_rgb, back


def _array(points: Any) -> np.ndarray:
    return np.array([(point.x, point.y, point.z) for point in points], np.float32)


def _in_picture(hand: Hand, back: np.ndarray) -> Hand:
    """A hand of a transformed picture in pixels of the picture."""
    places = hand.landmarks[:, :2] @ back[:, :2].T + back[:, 2]
    return Hand(np.column_stack([places, hand.landmarks[:, 2]]).astype(np.float32), hand.side, hand.score)


@contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Hide TensorFlow from MediaPipe, which imports it if it is installed and does not use it. That takes two seconds."""
    if "tensorflow" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # makes `import tensorflow` fail
    try:
        yield
    finally:
        del sys.modules["tensorflow"]
