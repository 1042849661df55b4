"""A LiteRT network and its card: network inputs in, labels out, or "nothing I know"."""

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recognizer import appearance, pose, preprocess, registry
from recognizer.errors import ModelError
from recognizer.system.native import silent_stderr
from recognizer.values import Prediction

NETWORK = "model.tflite"
FEATURES = "features.npz"
HEAD = "head.npz"
NEIGHBOURS = "neighbours.npz"
INPUT = "input"  # in a card's "features": the input itself, as it is where joints are the features
TOP = 3  # predictions shown
THREADS = 2  # a small network gains a quarter from a second one
VALUES = {  # numbers that each preprocess makes of a region; what takes pictures in colour says its size in its card
    preprocess.VERSION: preprocess.SIDE**2,
    preprocess.HAND_VERSION: preprocess.SIDE**2,
    pose.VERSION: pose.SIZE,
    appearance.VERSION: appearance.SIZE,
}


def read_arrays(path: Path, *names: str) -> list[np.ndarray]:
    """Arrays of a model's .npz file. Raises ModelError where it is missing, damaged or lacks one."""
    try:
        with np.load(path) as arrays:
            return [arrays[name] for name in names]
    except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error


@dataclass(frozen=True, eq=False)
class Rejection:
    """Where the features of each class lie: a picture far from all of them is none of them.

    A softmax says which class fits best, not whether any does. The distance is Mahalanobis' to the class means, with
    one covariance for all classes (Lee et al. 2018, "A simple unified framework for detecting out-of-distribution
    samples").
    """

    means: np.ndarray  # (classes + M, D) float32: of each class, then of the ways to show it
    whitening: np.ndarray  # (D, D) float32; its product with a difference has the distance as its length

    @classmethod
    def of_features(cls, features: np.ndarray, labels: np.ndarray, classes: int, ways: int = 1) -> "Rejection":
        """From features (N, D) of pictures whose classes (N,) are known.

        A 1 is a stick, or has a flag and a foot: with `ways` above one, the rare ways to show a class have means too.
        """
        means = np.stack([features[labels == index].mean(axis=0) for index in range(classes)])
        centred = features - means[labels]
        if ways > 1:
            from sklearn.cluster import KMeans

            groups = [KMeans(ways, n_init=3, random_state=0).fit(features[labels == index]) for index in range(classes)]
            means = np.concatenate([means, *(group.cluster_centers_ for group in groups)])
        covariance = centred.T @ centred / len(features)
        # some features never fire: a floor keeps their directions from drowning the others
        covariance += 1e-3 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        whitening = np.linalg.cholesky(np.linalg.inv(covariance)).T
        return cls(means.astype(np.float32), whitening.astype(np.float32))

    @classmethod
    def load(cls, path: Path) -> "Rejection":
        return cls(*read_arrays(path, "means", "whitening"))

    def save(self, path: Path) -> None:
        np.savez(path, means=self.means, whitening=self.whitening)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Distance of each of (N, D) features to each class mean, (N, classes)."""
        whitened = features @ self.whitening.T
        return np.linalg.norm(whitened[:, None] - self._centers[None], axis=2)

    @cached_property
    def _centers(self) -> np.ndarray:
        return self.means @ self.whitening.T


@dataclass(frozen=True, eq=False)
class Head:
    """A linear layer of its own over features that stay as they are: what a few samples can teach in a moment."""

    kernel: np.ndarray  # (D, labels + 1) float32, the last column for nothing known
    bias: np.ndarray  # (labels + 1,) float32

    @classmethod
    def load(cls, path: Path) -> "Head":
        return cls(*read_arrays(path, "kernel", "bias"))

    def save(self, path: Path) -> None:
        np.savez(path, kernel=self.kernel, bias=self.bias)

    @property
    def classes(self) -> int:
        return len(self.bias)

    @property
    def size(self) -> int:
        return len(self.kernel)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Of (..., D) features: (..., labels + 1)."""
        logits = features @ self.kernel + self.bias
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return shares / shares.sum(axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Samples known by heart, the nearest of which vote: k-NN (Cover and Hart 1967)."""

    samples: np.ndarray  # (N, D) uint8
    votes: np.ndarray  # (N,) the place of each one's label
    k: int
    measure: str  # "euclidean" or "cosine"
    classes: int  # labels + 1, the last for nothing known, which no sample votes for

    @classmethod
    def load(cls, path: Path) -> "Neighbours":
        samples, votes, k, measure, classes = read_arrays(path, "samples", "votes", "k", "measure", "classes")
        return cls(samples, votes, int(k), str(measure), int(classes))

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **vars(self))

    @property
    def size(self) -> int:
        return self.samples.shape[1]

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Shares of the votes for (N, D) features: (N, classes) float32."""
        vectors, offsets = self._compared
        near = np.argpartition(features @ vectors.T + offsets, -self.k, axis=1)[:, -self.k :]
        return np.eye(self.classes, dtype=np.float32)[self.votes[near]].mean(axis=1)

    @cached_property
    def _compared(self) -> tuple[np.ndarray, np.ndarray]:
        """(N, D) and (N,) float32: whose product with features, plus which, is the larger the nearer a sample is."""
        vectors = self.samples.astype(np.float32)
        squares = (vectors**2).sum(axis=1)
        if self.measure == "cosine":
            return vectors / np.sqrt(np.maximum(squares, 1))[:, None], np.zeros_like(squares)
        return vectors, -squares / 2


class Classifier:
    """Labels network inputs with one version of a model. Raises ModelError for a folder that is not whole.

    `folder` holds card.json, model.tflite and features.npz, as `training.train` publishes them; `prepared` names the
    preprocess that its inputs come from. A model that was taught has head.npz, which decides in the network's place, and k-NN
    neighbours.npz; where its card says that the features are the input itself, it has no network at all.
    """

    def __init__(self, folder: Path, prepared: str = preprocess.VERSION):
        self.folder = folder
        self.card = registry.read_card(folder)
        self.labels: list[str] = self.card["labels"]
        if self.card.get("preprocess") != prepared:
            raise ModelError(
                f"{folder} was trained with preprocess {self.card.get('preprocess')}, and this program has "
                f"{prepared}. Retrain: python -m training.train {self.card.get('task', folder.parent.name)}"
            )
        try:
            thresholds = self.card["rejection"]
            self.min_confidence = float(thresholds["min_confidence"])
            self.max_distance = float(thresholds["max_distance"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{folder / registry.CARD} holds no rejection thresholds ({error}). Retrain.") from error
        self.rejection = Rejection.load(folder / FEATURES)
        self.head: Head | Neighbours | None = None
        if (folder / HEAD).exists():
            self.head = Head.load(folder / HEAD)
        elif (folder / NEIGHBOURS).exists():
            self.head = Neighbours.load(folder / NEIGHBOURS)
        self._network = None if self.card.get("features") == INPUT else Network(folder / NETWORK)
        self._check_sizes(_values_of(self.card, prepared))

    def _check_sizes(self, values: int | None) -> None:
        """Raise ModelError where network, head, feature statistics and labels are not of one model for that input."""
        decides = self.head or self._network
        if decides is None:
            raise ModelError(
                f"{self.folder} has neither a network nor {HEAD} nor {NEIGHBOURS}. Fetch the model again or retrain."
            )
        fits = (
            decides.classes == len(self.labels) + 1
            and len(self.rejection.means) >= len(self.labels)  # what was taught adds other ways to show a label
            and decides.size == self.rejection.means.shape[1]
            and (self._network is None or self._network.size == decides.size)
        )
        if not fits:
            raise ModelError(
                f"{self.folder} has {decides.classes} outputs for {len(self.labels)} labels and one for nothing known. "
                "Its files do not belong together: fetch the model again or retrain."
            )
        taken = self._network.takes if self._network else decides.size
        if values not in (None, taken):
            raise ModelError(
                f"{self.folder} takes {taken} numbers, and {self.card['preprocess']} makes {values} of what is seen. "
                "Its files do not belong together: fetch the model again or retrain."
            )

    def predict(self, inputs: Sequence[np.ndarray]) -> tuple[Prediction, ...]:
        """One Prediction for each network input, (28, 28) uint8 or (D,) float32, in the same order."""
        if not len(inputs):
            return ()
        probabilities, features = self.run_all(inputs)
        return tuple(self._judged(probabilities[i], features[i : i + 1], inputs[i]) for i in range(len(inputs)))

    def predict_one(self, values: np.ndarray) -> Prediction:
        """The Prediction for one network input, which is kept in it as what the network saw."""
        return self.predict_views([values], values)

    def predict_views(self, views: Sequence[np.ndarray], image: np.ndarray) -> Prediction:
        """The Prediction for several network inputs that show the same thing; `image` is kept in it as what was seen."""
        probabilities, features = self.run_all(views)
        return self._judged(probabilities.mean(axis=0), features, image)

    def _judged(self, probabilities: np.ndarray, features: np.ndarray, image: np.ndarray) -> Prediction:
        known = probabilities[: len(self.labels)]
        order = np.argsort(-known)[:TOP]
        confidence = float(known[order[0]])
        # infinite or NaN features compare false, and so are nothing known
        near = bool(self.rejection.distances(features).min() <= self.max_distance)
        label = self.labels[order[0]] if confidence >= self.min_confidence and near else None
        return Prediction(label, confidence, tuple((self.labels[i], float(known[i])) for i in order), image)

    def run(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (labels + 1,) and embedding (E,) float32 of one network input."""
        probabilities, features = self.run_all([values])
        return probabilities[0], features[0]

    def run_all(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (N, labels + 1) and embeddings (N, E) float32 of N network inputs."""
        if self._network:
            probabilities, features = self._network.run_all(inputs)
        else:
            probabilities, features = None, np.stack(inputs).reshape(len(inputs), -1).astype(np.float32, copy=False)
        if self.head is not None:
            probabilities = self.head.probabilities(features)
        assert probabilities is not None, "checked when it was opened"
        return probabilities, features


class Network:
    """A LiteRT network that gives an embedding of `size`, and the probabilities of `classes` unless that is 0.

    Raises ModelError for a file that is missing or damaged.
    """

    def __init__(self, path: Path):
        self._network = open_interpreter(path)
        self._input = self._network.get_input_details()[0]
        self._shape = [int(side) for side in self._input["shape"][1:]]
        self.takes = math.prod(self._shape)  # numbers that one input has
        self._inputs = 1  # that it is laid out for
        outputs = sorted(self._network.get_output_details(), key=lambda output: int(output["shape"][-1]))
        if len(outputs) not in (1, 2):
            raise ModelError(
                f"{path} has {len(outputs)} outputs, and 1 or 2 were expected. Fetch the model again or retrain."
            )
        self._indices = [output["index"] for output in outputs]
        self.classes = int(outputs[0]["shape"][-1]) if len(outputs) == 2 else 0
        self.size = int(outputs[-1]["shape"][-1])

    def run(self, values: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """Probabilities (classes,) and embedding (size,) float32 of one input."""
        probabilities, features = self.run_all([values])
        return (None if probabilities is None else probabilities[0]), features[0]

    def run_all(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray | None, np.ndarray]:
        """Probabilities (N, classes) and embeddings (N, size) float32 of N inputs, which cost less together."""
        shape = [len(inputs), *self._shape]
        if len(inputs) != self._inputs:
            self._network.resize_tensor_input(self._input["index"], shape)
            self._network.allocate_tensors()
            self._inputs = len(inputs)
        self._network.set_tensor(self._input["index"], np.stack(inputs).astype(np.float32).reshape(shape))
        self._network.invoke()
        found = [self._network.get_tensor(index) for index in self._indices]
        return (found[0] if self.classes else None), found[-1]


def _values_of(card: dict[str, Any], prepared: str) -> int | None:
    """How many numbers that preprocess, or several with " and " between them, makes of a region; None where unknown."""
    if prepared == preprocess.COLOUR_VERSION:
        try:
            return 3 * int(card["input"]["shape"][0]) ** 2
        except (KeyError, TypeError, IndexError, ValueError):
            return None
    parts = prepared.split(" and ")
    return sum(VALUES[part] for part in parts) if all(part in VALUES for part in parts) else None


def open_interpreter(path: Path):  # type: ignore[no-untyped-def]  # ai_edge_litert ships no types
    from ai_edge_litert.interpreter import Interpreter

    try:
        with silent_stderr():
            network = Interpreter(model_path=str(path), num_threads=THREADS)
            network.allocate_tensors()
    except (ValueError, RuntimeError, OSError) as error:
        raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error
    return network


class SizedNetwork:
    """A LiteRT network of one input and one output whose sizes change from call to call. Raises ModelError as it opens."""

    def __init__(self, path: Path):
        self._network = open_interpreter(path)
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] = ()

    def run(self, values: np.ndarray) -> np.ndarray:
        """The output for values (N, …) float32."""
        if values.shape != self._shape:
            self._shape = values.shape
            self._network.resize_tensor_input(self._input, values.shape)
            self._network.allocate_tensors()
        self._network.set_tensor(self._input, values)
        self._network.invoke()
        return self._network.get_tensor(self._output)
