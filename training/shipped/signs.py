"""The story of hand signs: fit on joints and on pixels, judge on people left out, publish all kinds, point to the best.

A left-out source is one person or collection of photos/letters or photos/rps. What each fold said of it is kept in the
run folder, so that a run that was cut off goes on with the next fold.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.classifiers.hands import PREPARED
from recognizer.registry.card import ModelCard
from recognizer.subjects.hands import HAND
from training.datasets import hand_photographs
from training.lessons import new_signs
from training.networks.tuning import Tuning
from training.publishing.card import write_made_by, write_network
from training.settings import KINDS, SignsSettings
from training.shipped.sign_fitting import Reader, fit, sign_mnist_accuracy
from training.shipped.sign_material import Material, gather, letters_of
from training.shipped.sign_verdicts import Verdict, judge, print_table


def train_signs(settings: SignsSettings) -> None:
    """Judge every kind on people left out, fit each on all, publish them, and make the best of them the current one."""
    tuning = Tuning.of(settings.rate, settings.width, settings.augment, settings.keep)
    material = replace(gather(settings.task, settings.runs, settings.seed), tuning=tuning)
    wanted = [settings.kind] if settings.kind else list(KINDS)
    material.runs.mkdir(parents=True, exist_ok=True)
    verdicts = judge(material, wanted)
    print_table(material, verdicts)
    versions = {}
    for kind in wanted:
        reader = fit(material, kind, None)
        with settings.models.publishing(material.task) as draft:
            _publish(material, kind, reader, verdicts[kind], settings.command, draft)
        versions[kind] = settings.models.current(material.task)
        print(f"Published {versions[kind]}: {kind}")
    best = max(wanted, key=lambda kind: verdicts[kind].average)
    if versions[best] != settings.models.current(material.task):
        settings.models.set_current(material.task, versions[best].name)
    print(f"Current: {versions[best]}, {best}, {verdicts[best].average:.4f} on people left out")


def _publish(material: Material, kind: str, reader: Reader, verdict: Verdict, command: str, draft: Path) -> None:
    """Write a version of the kind into the draft folder."""
    whole, used = reader.whole, verdict.strict or verdict
    metrics: dict[str, Any] = {
        "people_left_out": verdict.right,
        "people_left_out_average": verdict.average,
        "nothing_labelled": verdict.nothing_labelled,
    }
    if verdict.strict:
        metrics["with_strict_thresholds"] = {
            "people_left_out_average": verdict.strict.average,
            "nothing_labelled": verdict.strict.nothing_labelled,
        }
    if kind == "pixels":
        metrics["sign_mnist_test_accuracy"] = sign_mnist_accuracy(reader, material.sign_mnist)
    card = ModelCard(
        task=material.task,
        labels=tuple(material.labels),
        subject=HAND.name,
        kind=kind,
        preprocess=PREPARED[kind],
        input={"shape": list(whole.input_shape[1:]), "dtype": "float32"},
        outputs=["probabilities of the labels, then of nothing known", "embedding"],
        parameters=whole.count_params(),
        rejection=used.thresholds,
        data=_data_of(material, kind),
        metrics=metrics,
    )
    write_network(whole, reader.statistics, draft)
    if kind == "fused" and material.task == new_signs.TASK:
        seen = new_signs.network(letters_of(material, None))
        seen.export(draft / new_signs.FILE, format="litert", verbose=False)
    write_made_by(card, command, draft)


def _data_of(material: Material, kind: str) -> list[dict[str, Any]]:
    rows = material.others(None) & (material.hands.jointed.any(axis=1) | (kind == "pixels"))
    names, counts = np.unique(material.hands.sources[rows], return_counts=True)
    used = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    data = [
        {"name": f"photos/{name}", "list_sha256": hand_photographs.list_sha256(name)} for name in ("letters", "rps")
    ]
    data.append({"name": "hands used, by source", **used})
    if kind == "pixels":
        signs = material.sign_mnist
        data.append(
            {"name": "Sign Language MNIST", "sha256": signs.sha256, "used": len(signs.train_labels), "licence": "CC0"}
        )
    return data
