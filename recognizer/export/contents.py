"""What an export of a model version holds: its networks as LiteRT bytes, and the arrays of its last layer and rejection."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.classifiers.heads import HEAD, INPUT, NEIGHBOURS, Head, Neighbours
from recognizer.classifiers.network import NETWORK
from recognizer.classifiers.rejection import FEATURES, FeatureStatistics
from recognizer.errors import AssetError, ModelError
from recognizer.finders.characters import NETWORKS as FINDER_NETWORKS
from recognizer.finders.hand_networks import HAND_NETWORK, PALM_NETWORK
from recognizer.preprocess import appearance
from recognizer.registry.assets import fetch_command, find_asset
from recognizer.registry.card import ModelCard

CLASSIFIER = "classifier"  # the name of the model's own network
MODEL_IDENTIFIER = b"TFL3"  # of a LiteRT file


@dataclass(frozen=True, eq=False)
class Contents:
    """The networks and arrays of a model version."""

    networks: Mapping[str, bytes]  # by name: CLASSIFIER, and those that find the subject
    arrays: Mapping[str, np.ndarray]  # means, whitening; kernel, bias; samples, votes
    head: str | None  # "linear", "neighbours", or None if the network computes the probabilities
    neighbours: Mapping[str, int | str]  # k and measure of a k-NN model; {} for others


def contents_of(folder: Path, card: ModelCard) -> Contents:
    """What an export of the version in `folder` holds. Raises ModelError, or AssetError without MediaPipe's hand model."""
    networks = dict(FINDERS.get(card.subject or "", _no_networks)(card))
    if card.features != INPUT:
        networks[CLASSIFIER] = _read(folder / NETWORK)
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


def _no_networks(card: ModelCard) -> dict[str, bytes]:
    return {}


def _paper_networks(card: ModelCard) -> dict[str, bytes]:
    return {name: _read(FINDER_NETWORKS / f"{name}.tflite") for name in ("characters", "verifier", "ink")}


def _hand_networks(card: ModelCard) -> dict[str, bytes]:
    """MediaPipe's two networks. If the model takes appearance features, the second has them as its last two outputs."""
    path = find_asset("hand_landmarker")
    try:
        with zipfile.ZipFile(path) as archive:
            palms, hand = archive.read(PALM_NETWORK), archive.read(HAND_NETWORK)
        return {"palms": palms, "hand": with_appearance(hand) if card.kind == "fused" else hand}
    except (OSError, LookupError, ValueError, zipfile.BadZipFile) as error:
        raise AssetError(f"{path} is missing or damaged ({error}). Fetch it again: {fetch_command()}") from error


FINDERS = {"paper": _paper_networks, "hand": _hand_networks}


def with_appearance(content: bytes) -> bytes:
    """The bytes of MediaPipe's landmark network with the appearance features, pooled and map, as further outputs.

    Raises ValueError if it has no such features.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    features = appearance.feature_tensors(content)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    graph.outputs = [*graph.outputs, *features]
    model.signatureDefs = None  # they name the first outputs only
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), MODEL_IDENTIFIER)
    return bytes(builder.Output())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror or error}). Fetch the model again.") from error
