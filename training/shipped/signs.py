"""Trains the shipped hand signs: a network per input, validated on held-out people; the best becomes the current model.

Each fold holds out one person or collection of photos/letters or photos/rps. Its predictions are cached in the run folder,
so that an interrupted run continues with the next fold.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.classifiers.hands import PREPARED
from recognizer.registry.card import ModelCard
from recognizer.subjects.hands import HAND
from training.datasets import hand_photographs
from training.networks.hyperparameters import Hyperparameters
from training.publishing.card import write_card_with_origin, write_network
from training.settings import SIGN_INPUTS, SignsSettings
from training.shipped.sign_data import SignData, letter_hands, load_sign_data
from training.shipped.sign_fitting import FittedModel, fit, sign_mnist_accuracy
from training.shipped.sign_validation import ValidationResult, print_table, validate
from training.user_tasks import hand_feature_extractor


def train_signs(settings: SignsSettings) -> None:
    """Validate each input on held-out people, train it on all people, publish it, and make the best one current."""
    hyperparameters = Hyperparameters.of(settings.rate, settings.width, settings.augment, settings.keep)
    data = replace(load_sign_data(settings.task, settings.runs, settings.seed), hyperparameters=hyperparameters)
    wanted = [settings.kind] if settings.kind else list(SIGN_INPUTS)
    data.runs.mkdir(parents=True, exist_ok=True)
    results = validate(data, wanted)
    print_table(data, results)
    versions = {}
    for kind in wanted:
        model = fit(data, kind)
        with settings.models.publishing(data.task) as draft:
            _publish(data, kind, model, results[kind], settings.command, draft)
        versions[kind] = settings.models.current(data.task)
        print(f"Published {versions[kind]}: {kind}")
    best = max(wanted, key=lambda kind: results[kind].average)
    if versions[best] != settings.models.current(data.task):
        settings.models.set_current(data.task, versions[best].name)
    print(f"Current: {versions[best]}, {best}, {results[best].average:.4f} on held-out people")


def _publish(
    data: SignData, kind: str, model: FittedModel, result: ValidationResult, command: str, draft: Path
) -> None:
    """Write a version with this input into the draft folder."""
    network, live = model.network, result.strict or result
    card_metrics: dict[str, Any] = {
        "people_left_out": result.right,
        "people_left_out_average": result.average,
        "people_left_out_wrong": result.wrong,
        "people_left_out_wrong_average": result.average_wrong,
        "nothing_labelled": result.nothing_labelled,
        "labels": {label: asdict(of_label) for label, of_label in result.labels.items()},
    }
    if result.strict:
        card_metrics["with_strict_thresholds"] = {
            "people_left_out_average": result.strict.average,
            "nothing_labelled": result.strict.nothing_labelled,
        }
    if kind == "pixels":
        card_metrics["sign_mnist_test_accuracy"] = sign_mnist_accuracy(model, data.sign_mnist)
    card = ModelCard(
        task=data.task,
        labels=tuple(data.labels),
        subject=HAND.name,
        kind=kind,
        preprocess=PREPARED[kind],
        input={"shape": list(network.input_shape[1:]), "dtype": "float32"},
        outputs=["probabilities of the labels, then of the background", "embedding"],
        parameters=network.count_params(),
        rejection=live.thresholds,
        data=_data_of(data, kind),
        metrics=card_metrics,
    )
    write_network(network, model.statistics, draft)
    if kind == "fused" and data.task == hand_feature_extractor.TASK:
        extractor = hand_feature_extractor.network(letter_hands(data))
        extractor.export(draft / hand_feature_extractor.FILE, format="litert", verbose=False)
    write_card_with_origin(card, command, draft)


def _data_of(data: SignData, kind: str) -> list[dict[str, Any]]:
    rows = data.training_rows() & (data.hands.jointed.any(axis=1) | (kind == "pixels"))
    names, counts = np.unique(data.hands.sources[rows], return_counts=True)
    used = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    sources = [
        {"name": f"photos/{name}", "list_sha256": hand_photographs.list_sha256(name)}
        for name in hand_photographs.folders_of_signs()
    ]
    sources.append({"name": "hands used, by source", **used})
    if kind == "pixels":
        signs = data.sign_mnist
        sources.append(
            {"name": "Sign Language MNIST", "sha256": signs.sha256, "used": len(signs.train_labels), "licence": "CC0"}
        )
    return sources
