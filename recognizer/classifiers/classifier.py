"""A trained model: classifies network inputs, or rejects them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.classifiers.heads import HEAD, INPUT, NEIGHBOURS, Head, Neighbours
from recognizer.classifiers.network import NETWORK, Network, open_interpreter
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics, Rejection, labels_within
from recognizer.errors import ModelError
from recognizer.preprocess import appearance, pictures, pose
from recognizer.registry import card as registry_card
from recognizer.values import Prediction

TOP = 3  # labels in `Prediction.top`


VALUES = {  # values in the network input of each preprocess version; that of colour pictures is in the model's card
    pictures.VERSION: pictures.SIDE**2,
    pictures.HAND_VERSION: pictures.SIDE**2,
    pose.VERSION: pose.SIZE,
    appearance.VERSION: appearance.SIZE,
}


@dataclass(frozen=True, eq=False)
class Scores:
    """What decides about an object's label."""

    probabilities: np.ndarray  # (labels + 1,) float32, the last of the background
    distance: float  # Mahalanobis distance of its features to the nearest label


class Classifier:
    """Classifies network inputs with one model. Raises ModelError if a file in its folder is missing or damaged.

    `folder` contains card.json, model.tflite and features.npz, as `training.shipped.digits` publishes them. `prepared` is
    the version of the preprocessing that made the inputs; it must equal the card's.
    A user-trained model has head.npz, which replaces the network's last layer. A k-NN model has neighbours.npz. If the
    card says that the features are the input itself, there is no model.tflite.
    """

    def __init__(self, folder: Path, prepared: str = pictures.VERSION):
        self.folder = folder
        self.card = registry_card.read_checked_card(folder)
        self.labels = list(self.card.labels)
        if self.card.preprocess != prepared:
            raise ModelError(
                f"{folder} was trained with preprocess {self.card.preprocess}, and this program has "
                f"{prepared}. Retrain: python -m recognizer train {self.card.task or folder.parent.name}"
            )
        if self.card.rejection is None:
            raise ModelError(f"{folder / registry_card.CARD} holds no rejection thresholds. Retrain.")
        self.rejection = Rejection(FeatureStatistics.load(folder / FEATURES), self.card.rejection)
        self.head: Head | Neighbours | None = None
        if (folder / HEAD).exists():
            self.head = Head.load(folder / HEAD)
        elif (folder / NEIGHBOURS).exists():
            self.head = Neighbours.load(folder / NEIGHBOURS)
        self._network = None if self.card.features == INPUT else Network(folder / NETWORK)
        self._check_sizes(_input_size(self.card, prepared))

    def _check_sizes(self, values: int | None) -> None:
        """Raise ModelError if the shapes of network, head, feature statistics and labels do not match."""
        classifying_part, means = self.head or self._network, self.rejection.statistics.means
        if classifying_part is None:
            raise ModelError(
                f"{self.folder} has neither a network nor {HEAD} nor {NEIGHBOURS}. Fetch the model again or retrain."
            )
        is_consistent = (
            classifying_part.classes == len(self.labels) + 1
            and len(means) >= len(self.labels)  # sub-clusters have further means
            and classifying_part.size == means.shape[1]
            and (self._network is None or self._network.size == classifying_part.size)
        )
        if not is_consistent:
            raise ModelError(
                f"{self.folder} has {classifying_part.classes} outputs for {len(self.labels)} labels and the background. "
                "Its files do not belong together: fetch the model again or retrain."
            )
        input_size = self._network.input_size if self._network else classifying_part.size
        if values not in (None, input_size):
            raise ModelError(
                f"{self.folder} takes {input_size} numbers, and {self.card.preprocess} makes {values}. "
                "Its files do not belong together: fetch the model again or retrain."
            )

    def predict(self, inputs: Sequence[np.ndarray]) -> tuple[Prediction, ...]:
        """One Prediction for each network input, (28, 28) uint8 or (D,) float32, in the same order."""
        if not len(inputs):
            return ()
        probabilities, features = self.run_all(inputs)
        scores = map(Scores, probabilities, self.rejection.statistics.distances(features).tolist())
        return tuple(map(self.prediction_of, scores, inputs))

    def predict_one(self, values: np.ndarray) -> Prediction:
        """The Prediction for one network input, which it contains as `image`."""
        return self.predict_views([values], values)

    def predict_views(self, views: Sequence[np.ndarray], image: np.ndarray) -> Prediction:
        """The Prediction for several network inputs that show the same object, with this `image`."""
        return self.prediction_of(self.scores(views), image)

    def scores(self, views: Sequence[np.ndarray]) -> Scores:
        """The mean probabilities of several network inputs that show the same object, and their smallest distance."""
        probabilities, features = self.run_all(views)
        return Scores(probabilities.mean(axis=0), float(self.rejection.statistics.distances(features).min()))

    def prediction_of(self, scores: Scores, image: np.ndarray) -> Prediction:
        """The Prediction, with this `image`, of an object with these scores. Its label is None if they are rejected."""
        probabilities, distances = scores.probabilities[None], np.array([scores.distance])
        (index,) = labels_within(self.rejection.thresholds, probabilities, distances)
        known = scores.probabilities[:-1]
        top = [(self.labels[i], float(known[i])) for i in np.argsort(-known, kind="stable")[:TOP]]
        label = self.labels[index] if index < len(self.labels) else None
        return Prediction(
            label, top[0][1], tuple(top), image, probabilities=scores.probabilities, distance=scores.distance
        )

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


def _input_size(card: registry_card.ModelCard, prepared: str) -> int | None:
    """The number of values in the network input of a preprocess version, or of several joined by " and "; None if unknown."""
    if prepared == pictures.COLOUR_VERSION:
        return 3 * card.input_side**2 if card.input_side else None
    versions = prepared.split(" and ")
    return sum(VALUES[part] for part in versions) if all(part in VALUES for part in versions) else None


class DynamicNetwork:
    """A LiteRT network whose input shape may change between calls, with one input and one output.

    Raises ModelError if the file is missing or damaged.
    """

    def __init__(self, path: Path):
        self._network = open_interpreter(path)
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] = ()

    def run(self, values: np.ndarray) -> np.ndarray:
        """The network's output, float32, for an input (N, …) float32."""
        if values.shape != self._shape:
            self._shape = values.shape
            self._network.resize_tensor_input(self._input, values.shape)
            self._network.allocate_tensors()
        self._network.set_tensor(self._input, values)
        self._network.invoke()
        return self._network.get_tensor(self._output)
