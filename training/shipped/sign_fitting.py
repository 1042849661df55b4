"""Trains the networks of the shipped hand signs."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recognizer.classifiers.rejection import FeatureStatistics
from recognizer.preprocess import pose
from training.datasets import hand_photographs, hand_variations
from training.datasets.dataset import Images
from training.datasets.hand_photographs import Hands
from training.networks.hand_networks import LAST_LAYER, MEMBERS, fused_network, pose_network
from training.networks.image_networks import EMBEDDING, cnn_bn
from training.networks.litert import with_features
from training.networks.tensorflow import import_tensorflow
from training.shipped.sign_data import Predictions, SignData

if TYPE_CHECKING:
    import keras

POSE_ROUNDS, POSE_COPIES = 10, 8  # rounds with new augmentation, augmented copies of each hand
FUSED_ROUNDS = 12
FUSED_BATCH = 64


FUSED_DECAY = 1e-2
FUSED_SMOOTHING = 0.1
POSE_MEMBERS_SHARE = 0.3  # weight of the members on joints alone in the fused ensemble; their errors differ
PIXEL_EPOCHS = 10  # on Sign Language MNIST alone, the starting point of every fold
MIXED_EPOCHS = 5  # on Sign Language MNIST together with real crops
BATCH = 256
RATE = 2e-3
SMOOTHING = 0.05  # label smoothing: photographs of few people make a network overconfident
MAX_BACKGROUND = 0.3  # share of the weight; most photographs show none of the signs rock, paper and scissors
UNKNOWN_SHARE = 0.25  # number of mixed poses, as a share of the number of hands with a letter


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A trained network with two outputs, probabilities and features, and the statistics of its features."""

    kind: str  # of SIGN_INPUTS
    network: "keras.Model"
    statistics: FeatureStatistics

    def predict(self, hands: Hands) -> Predictions:
        """The mean probabilities of both views and the smaller distance, as in the live classifier; NaN without an input."""
        has_input = hands.found[:, None] if self.kind == "pixels" else hands.jointed
        probabilities = np.full((*has_input.shape, self.network.outputs[0].shape[-1]), np.nan, np.float32)
        distances = np.full(has_input.shape, np.nan, np.float32)
        if has_input.any():
            inputs = _inputs(self.kind, hands, *np.nonzero(has_input))
            probabilities[has_input], features = self.network.predict(inputs, batch_size=512, verbose=0)
            distances[has_input] = self.statistics.distances(features)
        has_any_input = has_input.any(axis=1)
        mean = np.full((len(hands), probabilities.shape[2]), np.nan, np.float32)
        least = np.full(len(hands), np.nan, np.float32)
        mean[has_any_input] = np.nanmean(probabilities[has_any_input], axis=1)
        least[has_any_input] = np.nanmin(distances[has_any_input], axis=1)
        return Predictions(mean, least)


def fit(data: SignData, kind: str, held_out: Collection[str] = ()) -> FittedModel:
    """Train a network with this input on everybody but the held-out people."""
    import_tensorflow()
    fitters = {"pose": _fit_pose, "pixels": _fit_pixels, "fused": _fit_fused}
    return fitters[kind](data, data.training_rows(held_out))


def _inputs(kind: str, hands: Hands, rows: np.ndarray, views: np.ndarray) -> np.ndarray:
    """Network inputs, without augmentation, of M views: view `views[i]` of hand `rows[i]`."""
    if kind == "pixels":
        return hands.images[rows, :, :, None].astype(np.float32)
    pose_features = pose.batch_features(hands.landmarks[rows, views], hands.left[rows, views])
    if kind == "pose":
        return pose_features
    return np.concatenate([pose_features, hands.appearance_features[rows, views, 0].astype(np.float32)], axis=1)


@dataclass(frozen=True, eq=False)
class _TrainingViews:
    """Training data on joints: views of hands, and mixed poses as background."""

    landmarks: np.ndarray  # (M, 21, 3) float64
    left: np.ndarray  # (M,) bool
    classes: np.ndarray  # (M,) int64
    weights: np.ndarray  # (M,)
    places: tuple[np.ndarray, np.ndarray]  # row and view (M,) of the hand whose appearance features are used


def _training_views(data: SignData, rows: np.ndarray, rng: np.random.Generator) -> _TrainingViews:
    hands = data.hands
    view_rows, views = np.nonzero(hands.jointed & rows[:, None])
    landmarks, left = hands.landmarks[view_rows, views].astype(np.float64), hands.left[view_rows, views]
    classes, weights = data.classes[view_rows], _weights(hands.sources[view_rows])
    if data.task == "letters":
        background = len(data.labels)
        signs = np.flatnonzero(classes < background)
        points = pose.normalised(landmarks[signs], left[signs])
        wanted = round(UNKNOWN_SHARE * len(signs))
        mixed, palms = hand_variations.mixed_poses(points, classes[signs], 3 * wanted, rng)
        mixed, palms = mixed[:wanted], signs[palms[:wanted]]
        landmarks, left = np.concatenate([landmarks, mixed]), np.concatenate([left, np.zeros(len(mixed), bool)])
        classes = np.concatenate([classes, np.full(len(mixed), background)])
        weights = np.concatenate([weights, np.ones(len(mixed))])
        view_rows, views = np.concatenate([view_rows, view_rows[palms]]), np.concatenate([views, views[palms]])
    is_background = classes == len(data.labels)
    signs_weight, background_weight = weights[~is_background].sum(), weights[is_background].sum()
    most = MAX_BACKGROUND / (1 - MAX_BACKGROUND) * signs_weight
    weights[is_background] *= min(1.0, most / max(1e-6, background_weight))
    return _TrainingViews(landmarks, left, classes, weights, (view_rows, views))


def _fit_pose(data: SignData, rows: np.ndarray) -> FittedModel:
    rng = np.random.default_rng(data.seed)
    training_views = _training_views(data, rows, rng)
    landmarks, left, classes = training_views.landmarks, training_views.left, training_views.classes
    count = len(data.labels) + 1
    hyperparameters = data.hyperparameters
    members, normalise = pose_network(count, data.seed, hyperparameters.width)
    normalise.adapt(pose.batch_features(*hyperparameters.augmented(landmarks, left, rng)))
    _compile(members, POSE_ROUNDS * POSE_COPIES * -(-len(classes) // BATCH), hyperparameters.rate or RATE)
    targets = np.eye(count, dtype=np.float32)[np.tile(classes, POSE_COPIES)]
    for _ in range(POSE_ROUNDS):
        augmented_inputs = [
            pose.batch_features(*hyperparameters.augmented(landmarks, left, rng)) for _ in range(POSE_COPIES)
        ]
        members.fit(
            np.concatenate(augmented_inputs),
            [targets] * MEMBERS,
            sample_weight=[np.tile(training_views.weights, POSE_COPIES)] * MEMBERS,
            batch_size=BATCH,
            verbose=0,
        )
    return _fitted_model_of_views(data, "pose", _joined(members, data.task), rows)


def _fit_fused(data: SignData, rows: np.ndarray) -> FittedModel:
    """Train on augmented joints and appearance features. People with few pictures are sampled more often."""
    rng = np.random.default_rng(data.seed)
    training_views = _training_views(data, rows, rng)
    appearance_features, hyperparameters = data.hands.appearance_features, data.hyperparameters
    count = len(data.labels) + 1
    chances = training_views.weights / training_views.weights.sum()

    def batch(chosen: np.ndarray) -> np.ndarray:
        pose_features = pose.batch_features(
            *hyperparameters.augmented(training_views.landmarks[chosen], training_views.left[chosen], rng)
        )
        hand_rows, views = (places[chosen] for places in training_views.places)
        chosen_features = appearance_features[
            hand_rows, views, rng.integers(hand_variations.CROPS_A_VIEW, size=len(chosen))
        ]
        return np.concatenate([pose_features, chosen_features.astype(np.float32)], axis=1)

    size = len(training_views.classes)
    members = fused_network(count, data.seed, batch(np.arange(size)), hyperparameters.width)
    steps = FUSED_ROUNDS * -(-size // FUSED_BATCH)
    _compile(members, steps, hyperparameters.rate or RATE, FUSED_DECAY, FUSED_SMOOTHING)
    for _ in range(FUSED_ROUNDS):
        chosen = rng.choice(size, size, p=chances)
        targets = np.eye(count, dtype=np.float32)[training_views.classes[chosen]]
        members.fit(batch(chosen), [targets] * 2 * MEMBERS, batch_size=FUSED_BATCH, verbose=0)
    for number in range(2 * MEMBERS):
        layer = members.get_layer(f"{LAST_LAYER}_{number}")
        share = 1 - POSE_MEMBERS_SHARE if number < MEMBERS else POSE_MEMBERS_SHARE
        layer.set_weights([2 * share * part for part in layer.get_weights()])
    return _fitted_model_of_views(data, "fused", _joined(members, data.task), rows)


def _joined(members: "keras.Model", name: str) -> "keras.Model":
    """The members as one network: the mean of their predictions, and their embeddings concatenated."""
    import keras

    logits = keras.layers.Average(name="logits")(members.outputs)
    embeddings = [members.get_layer(f"{EMBEDDING}_{member}").output for member in range(len(members.outputs))]
    joined = keras.layers.Concatenate(name=EMBEDDING)(embeddings)
    probabilities = keras.layers.Softmax(name="probabilities")(logits)
    return keras.Model(members.inputs, [probabilities, joined], name=name)


def _compile(
    model: "keras.Model", steps: int, rate: float = RATE, decay: float = 1e-3, smoothing: float = SMOOTHING
) -> None:
    import keras

    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 10, max(1, steps - steps // 20), warmup_target=rate, warmup_steps=max(1, steps // 20)
    )
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=decay), loss)


def _weights(sources: np.ndarray) -> np.ndarray:
    """Sample weights (N,): a person with four times as many pictures gets twice the total weight."""
    names, places, counts = np.unique(sources, return_inverse=True, return_counts=True)
    weights = (1 / np.sqrt(counts))[places]
    return weights / weights.mean() if len(names) else weights


def _fitted_model_of_views(data: SignData, kind: str, network: "keras.Model", rows: np.ndarray) -> FittedModel:
    view_rows, views = np.nonzero(data.hands.jointed & rows[:, None])
    inputs = _inputs(kind, data.hands, view_rows, views)
    return _fitted_model(kind, network, inputs, data.classes[view_rows], len(data.labels))


def _fitted_model(
    kind: str, network: "keras.Model", inputs: np.ndarray, classes: np.ndarray, labels: int
) -> FittedModel:
    known = classes < labels
    _, features = network.predict(inputs[known], batch_size=512, verbose=0)
    return FittedModel(kind, network, FeatureStatistics.of_features(features, classes[known], labels))


def _fit_pixels(data: SignData, rows: np.ndarray) -> FittedModel:
    """Train on Sign Language MNIST, once for all folds, then on equal parts of it and of the real crops."""
    signs, count = data.sign_mnist, len(data.labels) + 1
    hands, classes = data.hands[rows], data.classes[rows]
    model = cnn_bn(count, data.seed)
    rng = np.random.default_rng(data.seed)
    key_parts = [
        signs.sha256,
        data.seed,
        hand_photographs.code_digest("training/networks/image_networks.py", "training/shipped/sign_fitting.py"),
    ]
    name = hashlib.sha256(json.dumps(key_parts).encode()).hexdigest()[:8]
    pretrained = data.runs / f"sign-mnist-{name}.weights.h5"
    if pretrained.is_file():
        model.load_weights(pretrained)
    else:
        print(f"{data.task}: Sign Language MNIST …", flush=True)
        _fit_on_batches(model, signs.train_images, signs.train_labels, None, PIXEL_EPOCHS, data, RATE)
        model.save_weights(pretrained)
    for epoch in range(MIXED_EPOCHS):
        chosen = rng.permutation(len(signs.train_labels))[: len(classes)]
        images = np.concatenate([hands.images, signs.train_images[chosen]])
        weights = np.concatenate([_weights(hands.sources), np.ones(len(chosen))])
        mixed_classes = np.concatenate([classes, signs.train_labels[chosen]])
        rate = RATE / 2 * (1 - epoch / MIXED_EPOCHS)
        _fit_on_batches(model, images, mixed_classes, weights, 1, data, rate)
    crops = hands.images[..., None].astype(np.float32)
    inputs = np.concatenate([crops, signs.train_images[::4, ..., None].astype(np.float32)])
    known_classes = np.concatenate([classes, signs.train_labels[::4]])
    return _fitted_model("pixels", with_features(model, data.task), inputs, known_classes, count - 1)


def _fit_on_batches(
    model: "keras.Model",
    images: np.ndarray,
    classes: np.ndarray,
    weights: np.ndarray | None,
    epochs: int,
    data: SignData,
    rate: float,
) -> None:
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    # a flipped letter is the same letter, made with the other hand
    augment = ImageDataGenerator(
        rotation_range=12, width_shift_range=0.08, height_shift_range=0.08, zoom_range=0.12, shear_range=8,
        horizontal_flip=True, preprocessing_function=relit,
    )  # fmt: skip
    targets = np.eye(len(data.labels) + 1, dtype=np.float32)[classes]
    batches = augment.flow(images[..., None], targets, BATCH // 2, sample_weight=weights, seed=data.seed)
    _compile(model, epochs * len(batches), rate)
    model.fit(batches, epochs=epochs, verbose=0)


def relit(image: np.ndarray) -> np.ndarray:
    """A picture (28, 28, 1) 0 to 255 with random gamma, contrast and noise."""
    gamma, contrast = np.exp(np.random.normal(0, 0.25, 2))  # seeded by the ImageDataGenerator
    lit = 255 * (np.clip(image, 0, 255) / 255) ** gamma
    lit = (lit - 128) * contrast + 128 + np.random.normal(0, 15)
    return np.clip(lit + np.random.normal(0, np.random.uniform(0, 6), image.shape), 0, 255)


def sign_mnist_accuracy(model: FittedModel, signs: Images) -> float:
    """Top-1 accuracy, 0 to 1, on the official test pictures."""
    probabilities, _ = model.network.predict(signs.test_images[..., None].astype(np.float32), 512, verbose=0)
    return float((probabilities[:, :-1].argmax(axis=1) == signs.test_labels).mean())
