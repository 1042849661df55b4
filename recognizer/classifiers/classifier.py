"""A trained model: classifies network inputs, or rejects them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recognizer.classifiers.heads import HEAD, INPUT, NEIGHBOURS, Head, Neighbours
from recognizer.classifiers.network import NETWORK, Network, open_interpreter
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics, Rejection, labels_within
from recognizer.errors import ModelError
from recognizer.preprocess import appearance, pictures, pose
from recognizer.registry import card as registry_card
from recognizer.values import Prediction

TOP = 3  # predictions shown


VALUES = {  # numbers that each preprocess makes of a region; what takes pictures in colour says its size in its card
    pictures.VERSION: pictures.SIDE**2,
    pictures.HAND_VERSION: pictures.SIDE**2,
    pose.VERSION: pose.SIZE,
    appearance.VERSION: appearance.SIZE,
}


class Classifier:
    """Classifies network inputs with one model. Raises ModelError if a file in its folder is missing or damaged.

    `folder` holds card.json, model.tflite and features.npz, as `training.shipped.digits` publishes them; `prepared` names the
    preprocess that its inputs come from.
    A user-trained model has head.npz, which replaces the network's last layer; a k-NN model has neighbours.npz. A model
    whose card says that the features are the input itself has no network.
    """

    def __init__(self, folder: Path, prepared: str = pictures.VERSION):
        self.folder = folder
        self.card = registry_card.read_card(folder)
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
        decides, means = self.head or self._network, self.rejection.statistics.means
        if decides is None:
            raise ModelError(
                f"{self.folder} has neither a network nor {HEAD} nor {NEIGHBOURS}. Fetch the model again or retrain."
            )
        fits = (
            decides.classes == len(self.labels) + 1
            and len(means) >= len(self.labels)  # what was taught adds other ways to show a label
            and decides.size == means.shape[1]
            and (self._network is None or self._network.size == decides.size)
        )
        if not fits:
            raise ModelError(
                f"{self.folder} has {decides.classes} outputs for {len(self.labels)} labels and one for nothing known. "
                "Its files do not belong together: fetch the model again or retrain."
            )
        taken = self._network.input_size if self._network else decides.size
        if values not in (None, taken):
            raise ModelError(
                f"{self.folder} takes {taken} numbers, and {self.card.preprocess} makes {values} of what is seen. "
                "Its files do not belong together: fetch the model again or retrain."
            )

    def predict(self, inputs: Sequence[np.ndarray]) -> tuple[Prediction, ...]:
        """One Prediction for each network input, (28, 28) uint8 or (D,) float32, in the same order."""
        if not len(inputs):
            return ()
        probabilities, features = self.run_all(inputs)
        classes = self.rejection.labels(probabilities, features)
        return tuple(self._prediction(*row) for row in zip(classes, probabilities, inputs, strict=True))

    def predict_one(self, values: np.ndarray) -> Prediction:
        """The Prediction for one network input, which is kept in it as what the network saw."""
        return self.predict_views([values], values)

    def predict_views(self, views: Sequence[np.ndarray], image: np.ndarray) -> Prediction:
        """The Prediction for several network inputs that show the same object; `image` is kept in it as what was seen.

        Their probabilities are averaged, and the view nearest to a label decides about its distance.
        """
        probabilities, features = self.run_all(views)
        average = probabilities.mean(axis=0)
        nearest = self.rejection.statistics.distances(features).min(keepdims=True)
        (index,) = labels_within(self.rejection.thresholds, average[None], nearest)
        return self._prediction(index, average, image)

    def _prediction(self, index: int, probabilities: np.ndarray, image: np.ndarray) -> Prediction:
        known = probabilities[:-1]
        top = [(self.labels[i], float(known[i])) for i in np.argsort(-known, kind="stable")[:TOP]]
        label = self.labels[index] if index < len(self.labels) else None
        return Prediction(label, top[0][1], tuple(top), image)

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
    """How many numbers that preprocess, or several with " and " between them, makes of a region; None where unknown."""
    if prepared == pictures.COLOUR_VERSION:
        return 3 * card.input_side**2 if card.input_side else None
    parts = prepared.split(" and ")
    return sum(VALUES[part] for part in parts) if all(part in VALUES for part in parts) else None


class DynamicNetwork:
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
