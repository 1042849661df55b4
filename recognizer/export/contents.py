"""What an export of a model version holds: its networks as LiteRT bytes, and the arrays of its last layer and rejection."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.classifiers.heads import HEAD, INPUT, NEIGHBOURS, Head, Neighbours
from recognizer.classifiers.network import NETWORK, read_network
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics
from recognizer.registry.card import ModelCard
from recognizer.subjects.catalogue import subject_of

CLASSIFIER = "classifier"  # the name of the model's own network


@dataclass(frozen=True, eq=False)
class Contents:
    """The networks and arrays of a model version."""

    networks: Mapping[str, bytes]  # by name: CLASSIFIER, and those that find the subject
    arrays: Mapping[str, np.ndarray]  # means, whitening; kernel, bias; samples, votes
    head: str | None  # "linear", "neighbours", or None if the network computes the probabilities
    neighbours: Mapping[str, int | str]  # k and measure of a k-NN model; {} for others


def contents_of(folder: Path, card: ModelCard) -> Contents:
    """What an export of the version in `folder` holds. Raises ModelError, or AssetError without MediaPipe's hand model."""
    networks = dict(subject_of(card.subject).finder_networks(card.kind))
    if card.features != INPUT:
        networks[CLASSIFIER] = read_network(folder / NETWORK)
    statistics = FeatureStatistics.load(folder / FEATURES)
    arrays = {"means": statistics.means, "whitening": statistics.whitening}
    if (folder / HEAD).exists():
        head = Head.load(folder / HEAD)
        return Contents(networks, {**arrays, "kernel": head.kernel, "bias": head.bias}, "linear", {})
    if (folder / NEIGHBOURS).exists():
        near = Neighbours.load(folder / NEIGHBOURS)
        arrays |= {"samples": near.samples, "votes": near.votes.astype(np.int32)}
        return Contents(networks, arrays, "neighbours", {"k": near.k, "measure": near.measure})
    return Contents(networks, arrays, None, {})
