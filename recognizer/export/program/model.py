"""The model of an export: its network, its last layer, and its rejection."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.classifiers.classifier import TOP, Scores
from recognizer.classifiers.rejection import labels_within
from recognizer.classifiers.sides import within_sides
from recognizer.export.program.network import Network
from recognizer.registry.card import Thresholds
from recognizer.values import Prediction


class Model:
    """Classifies inputs with the network in `folder`, as its model.json says."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.json: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self.labels: list[str] = self.json["labels"]
        limits = self.json["rejection"]
        no_limit = limits["max_distance"] is None
        self.thresholds = Thresholds(limits["min_confidence"], np.inf if no_limit else limits["max_distance"])
        self.arrays = {name: _read_array(folder, **array) for name, array in self.json["arrays"].items()}
        self.network: Network | None = None
        self.input_shape: tuple[int, ...] = ()
        if "classifier" in self.json["networks"]:
            network = self.json["networks"]["classifier"]
            self.network, self.input_shape = Network(folder / network["file"]), tuple(network["input_shape"][1:])
            self.outputs: list[str] = network["outputs"]
        self._centers = self.arrays["means"] @ self.arrays["whitening"].T

    def predict(self, inputs: Sequence[np.ndarray]) -> tuple[Prediction, ...]:
        """One prediction for each input."""
        return tuple(self.predict_views([values], values) for values in inputs)

    def predict_views(
        self, views: Sequence[np.ndarray], image: np.ndarray, allowed: np.ndarray | None = None
    ) -> Prediction:
        """The prediction for several inputs that show the same object: the mean of the probabilities, the least distance.

        `allowed` (labels,) bool says which labels are possible.
        """
        probabilities, features = self._run(views)
        scores = Scores(probabilities.mean(axis=0), float(self._distances(features).min()))
        if allowed is not None:
            scores = Scores(within_sides(scores.probabilities[None], allowed[None])[0], scores.distance)
        (index,) = labels_within(self.thresholds, scores.probabilities[None], np.array([scores.distance]))
        known = scores.probabilities[:-1]
        top = [(self.labels[i], float(known[i])) for i in np.argsort(-known, kind="stable")[:TOP]]
        label = self.labels[index] if index < len(self.labels) else None
        return Prediction(
            label, top[0][1], tuple(top), image, probabilities=scores.probabilities, distance=scores.distance
        )

    def _run(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (N, labels + 1), the last of none of them, and features (N, D) of N inputs."""
        values = np.stack(inputs).astype(np.float32)
        if self.network is None:
            outputs = {"features": values.reshape(len(values), -1)}
        else:
            outputs = dict(zip(self.outputs, self.network.run(values.reshape(-1, *self.input_shape)), strict=True))
        features = outputs["features"]
        if self.json["head"] == "linear":
            return _softmax(features @ self.arrays["kernel"] + self.arrays["bias"]), features
        if self.json["head"] == "neighbours":
            return self._votes(features), features
        return outputs["probabilities"], features

    def _votes(self, features: np.ndarray) -> np.ndarray:
        """The shares of the votes of the nearest samples (Cover and Hart 1967)."""
        vectors = self.arrays["samples"].astype(np.float32)
        squares = (vectors**2).sum(axis=1)
        if self.json["neighbours"]["measure"] == "cosine":
            closeness = features @ (vectors / np.sqrt(np.maximum(squares, 1))[:, None]).T
        else:
            closeness = features @ vectors.T - squares / 2
        count = self.json["neighbours"]["k"]
        nearest = np.argpartition(closeness, -count, axis=1)[:, -count:]
        return np.eye(len(self.labels) + 1, dtype=np.float32)[self.arrays["votes"][nearest]].mean(axis=1)

    def _distances(self, features: np.ndarray) -> np.ndarray:
        """The Mahalanobis distance of each of (N, D) features to the nearest mean."""
        whitened = features @ self.arrays["whitening"].T
        return np.linalg.norm(whitened[:, None] - self._centers[None], axis=2).min(axis=1)


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _read_array(folder: Path, file: str, shape: Sequence[int], dtype: str) -> np.ndarray:
    return np.fromfile(folder / file, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)
