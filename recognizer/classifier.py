"""A LiteRT network and its card: network inputs in, labels out, or "nothing I know"."""

import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer import preprocess, registry
from recognizer.errors import ModelError
from recognizer.values import Prediction

NETWORK = "model.tflite"
FEATURES = "features.npz"
TOP = 3  # predictions shown
THREADS = 2  # a small network gains a quarter from a second one


@dataclass(frozen=True, eq=False)
class Rejection:
    """Where the features of each class lie: a picture far from all of them is none of them.

    A softmax says which class fits best, not whether any does. The distance is Mahalanobis' to the class means, with
    one covariance for all classes (Lee et al. 2018, "A simple unified framework for detecting out-of-distribution
    samples").
    """

    means: np.ndarray  # (classes, D) float32
    whitening: np.ndarray  # (D, D) float32; its product with a difference has the distance as its length

    @classmethod
    def of_features(cls, features: np.ndarray, labels: np.ndarray, classes: int) -> "Rejection":
        """From features (N, D) of pictures whose classes (N,) are known."""
        means = np.stack([features[labels == index].mean(axis=0) for index in range(classes)])
        centred = features - means[labels]
        covariance = centred.T @ centred / len(features)
        # some features never fire: a floor keeps their directions from drowning the others
        covariance += 1e-3 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        whitening = np.linalg.cholesky(np.linalg.inv(covariance)).T
        return cls(means.astype(np.float32), whitening.astype(np.float32))

    @classmethod
    def load(cls, path: Path) -> "Rejection":
        try:
            with np.load(path) as arrays:
                return cls(arrays["means"], arrays["whitening"])
        except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error

    def save(self, path: Path) -> None:
        np.savez(path, means=self.means, whitening=self.whitening)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Distance of each of (N, D) features to each class mean, (N, classes)."""
        whitened = features @ self.whitening.T
        return np.linalg.norm(whitened[:, None] - self._centers[None], axis=2)

    @cached_property
    def _centers(self) -> np.ndarray:
        return self.means @ self.whitening.T


class Classifier:
    """Labels network inputs with one version of a model. Raises ModelError for a folder that is not whole.

    `folder` holds card.json, model.tflite and features.npz, as `training.train` publishes them.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.card = registry.read_card(folder)
        self.labels: list[str] = self.card["labels"]
        if self.card.get("preprocess") != preprocess.VERSION:
            raise ModelError(
                f"{folder} was trained with preprocess {self.card.get('preprocess')}, and this program has "
                f"{preprocess.VERSION}. Retrain: python -m training.train {folder.parent.name}"
            )
        try:
            thresholds = self.card["rejection"]
            self.min_confidence = float(thresholds["min_confidence"])
            self.max_distance = float(thresholds["max_distance"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{folder / registry.CARD} holds no rejection thresholds ({error}). Retrain.") from error
        self.rejection = Rejection.load(folder / FEATURES)
        self._network = _interpreter(folder / NETWORK)
        self._input = self._network.get_input_details()[0]
        outputs = self._network.get_output_details()
        by_size = sorted(outputs, key=lambda output: int(output["shape"][-1]))
        self._probabilities, self._features = by_size[0]["index"], by_size[-1]["index"]
        known = int(by_size[0]["shape"][-1])
        if len(outputs) != 2 or known != len(self.labels) + 1 or len(self.rejection.means) != len(self.labels):
            raise ModelError(
                f"{folder / NETWORK} has {known} outputs for {len(self.labels)} labels and one for nothing known. "
                "The network and the card do not belong together: fetch the model again or retrain."
            )

    def predict(self, images: Sequence[np.ndarray]) -> tuple[Prediction, ...]:
        """One Prediction for each network input (28, 28) uint8, in the same order."""
        return tuple(self._predict_one(image) for image in images)

    def _predict_one(self, image: np.ndarray) -> Prediction:
        probabilities, features = self.run(image)
        known = probabilities[: len(self.labels)]
        order = np.argsort(-known)[:TOP]
        confidence = float(known[order[0]])
        # infinite or NaN features compare false, and so are nothing known
        near = bool(self.rejection.distances(features[None]).min() <= self.max_distance)
        label = self.labels[order[0]] if confidence >= self.min_confidence and near else None
        return Prediction(label, confidence, tuple((self.labels[i], float(known[i])) for i in order), image)

    def run(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (labels + 1,) and features (D,) float32 of one network input (28, 28) uint8."""
        self._network.set_tensor(self._input["index"], image.astype(np.float32)[None, ..., None])
        self._network.invoke()
        return self._network.get_tensor(self._probabilities)[0], self._network.get_tensor(self._features)[0]


def _interpreter(path: Path):  # type: ignore[no-untyped-def]  # ai_edge_litert ships no types
    from ai_edge_litert.interpreter import Interpreter

    try:
        with _silent_stderr():
            network = Interpreter(model_path=str(path), num_threads=THREADS)
            network.allocate_tensors()
    except (ValueError, RuntimeError, OSError) as error:
        raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error
    return network


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """LiteRT greets each start with a line of its own, written past Python and without a switch."""
    try:
        kept = os.dup(2)
    except OSError:  # no stderr, as in a program started without a console
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
