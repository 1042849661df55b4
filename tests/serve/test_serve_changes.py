"""Renaming, merging, reordering and deleting over HTTP, and the trash."""

from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.serve.workers.jobs import RUNNING, Job, Jobs
from tests.helpers.http import problem
from tests.serve.test_serve_safe import client
from tests.teaching.test_changes import LABELS, publish, read, record

TASK = "/v1/tasks/signs"


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    store = ModelStore(tmp_path / "models")
    publish(store)
    return store


@pytest.fixture
def samples() -> Samples:
    """Two samples of each label of the task signs, which has a model."""
    store = default_samples()
    store.create_task("signs", "box", LABELS)
    for label in (*LABELS, *LABELS):
        record(store, "signs", label)
    return store


@pytest.fixture
def server(models: ModelStore, samples: Samples) -> TestClient:
    return client(models.folder)


def ok(response: httpx.Response) -> Any:
    assert response.status_code < 300, response.text
    return response.json() if response.content else None


def test_a_label_is_renamed_and_merged(server: TestClient, samples: Samples, models: ModelStore) -> None:
    renamed = ok(server.patch(f"{TASK}/labels?label=fist", json={"label": "r/ck"}))
    assert renamed == {"samples": 2, "must_retrain": False, "entry": None}
    assert read(models, "fist") == "r/ck"
    merged = ok(server.patch(f"{TASK}/labels?label=r/ck", json={"label": "palm"}))
    assert (merged["samples"], merged["must_retrain"]) == (2, True)
    assert samples.counts("signs") == {"palm": 4, "wave": 2}
    body = problem(server.patch(f"{TASK}/labels?label=palm", json={"label": ""}), 422)
    assert "label" in body["fields"]
    body = problem(server.patch(f"{TASK}/labels?label=nope", json={"label": "x"}), 422)
    assert body["found"].startswith("The task signs has no label nope")


def test_a_deleted_label_comes_back_with_its_model(server: TestClient, samples: Samples, models: ModelStore) -> None:
    deleted = ok(server.delete(f"{TASK}/labels?label=wave"))
    assert deleted["samples"] == 2
    assert read(models, "wave") is None
    (entry,) = ok(server.get("/v1/trash"))
    assert (entry["kind"], entry["label"], entry["samples"]) == ("label", "wave", 2)
    assert ok(server.post(f"/v1/trash/{entry['entry']}/restore"))["label"] == "wave"
    assert read(models, "wave") == "wave"
    assert samples.counts("signs") == dict.fromkeys(LABELS, 2)
    assert ok(server.get("/v1/trash")) == []
    problem(server.post(f"/v1/trash/{entry['entry']}/restore"), 404)


def test_labels_are_reordered_and_a_task_is_renamed(server: TestClient, samples: Samples) -> None:
    order = ["wave", "fist", "palm"]
    info = ok(server.patch(TASK, json={"name": "hands up", "labels": [*order, "nothing"]}))
    assert (info["name"], info["labels"], info["own"]) == ("hands up", order, True)
    assert samples.task("hands up").labels == ("wave", "fist", "palm")
    assert len(samples.read("hands up")) == 6
    problem(server.get("/v1/samples?task=signs"), 404)
    body = problem(server.patch("/v1/tasks/hands up", json={"labels": ["wave"]}), 422)
    assert "Give all of them" in body["remedy"]
    problem(server.patch("/v1/tasks/hands up", json={"name": "Digits"}), 422)


def test_a_deleted_task_comes_back_and_the_trash_can_be_emptied(server: TestClient, models: ModelStore) -> None:
    deleted = ok(server.delete(TASK))
    assert (deleted["kind"], deleted["samples"], deleted["versions"]) == ("task", 6, 1)
    assert "signs" not in [task["name"] for task in ok(server.get("/v1/tasks"))]
    ok(server.post(f"/v1/trash/{deleted['entry']}/restore"))
    assert read(models, "fist") == "fist"
    first = ok(server.delete(TASK))["entry"]
    ok(server.delete(f"/v1/trash/{first}"))
    problem(server.delete(f"/v1/trash/{first}"), 404)
    ok(server.post("/v1/tasks", json={"name": "signs", "region": "box", "labels": ["a"]}))
    ok(server.delete(TASK))
    ok(server.delete("/v1/trash"))
    assert ok(server.get("/v1/trash")) == []


def test_a_task_is_merged_into_another_one(server: TestClient, samples: Samples, models: ModelStore) -> None:
    samples.create_task("others", "box", ["palm", "ok"])
    info = ok(server.post(f"{TASK}/merge", json={"into": "others"}))
    assert info["samples"] == {"palm": 2, "ok": 0, "fist": 2, "wave": 2}
    assert models.tasks() == []
    assert [entry["kind"] for entry in ok(server.get("/v1/trash"))] == ["model"]
    problem(server.post("/v1/tasks/digits/merge", json={"into": "others"}), 422)
    problem(server.post("/v1/tasks/others/merge", json={"into": "nope"}), 404)


def test_a_shipped_task_keeps_its_name_and_model(server: TestClient, samples: Samples) -> None:
    samples.create_task("rps", "box", ["rock"])
    record(samples, "rps", "rock")
    problem(server.patch("/v1/tasks/rps", json={"name": "game"}), 422)
    assert ok(server.delete("/v1/tasks/rps"))["samples"] == 1
    problem(server.delete("/v1/tasks/rps"), 422)


def test_samples_of_one_task_are_deleted_together(server: TestClient, samples: Samples) -> None:
    samples.create_task("others", "box", ["x"])
    record(samples, "others", "x")
    ids = [sample.id for sample in samples.read()]
    body = problem(server.post("/v1/samples/delete", json={"ids": ids}), 422)
    assert body["found"] == "samples of 2 tasks"
    own = [sample.id for sample in samples.read("signs")]
    entry = ok(server.post("/v1/samples/delete", json={"ids": own[:3]}))["entry"]
    assert len(samples.read("signs")) == 3
    problem(server.post("/v1/samples/delete", json={"ids": own[:1]}), 404)
    ok(server.post(f"/v1/trash/{entry}/restore"))
    assert sorted(sample.id for sample in samples.read("signs")) == sorted(own)


def test_a_task_that_is_being_trained_is_not_changed(
    server: TestClient, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jobs, "_updated", lambda _: [Job("signs", state=RUNNING)])
    for response in (
        server.delete(TASK),
        server.patch(TASK, json={"name": "other"}),
        server.delete(f"{TASK}/labels?label=fist"),
        server.patch(f"{TASK}/labels?label=fist", json={"label": "x"}),
        server.post(f"{TASK}/merge", json={"into": "digits"}),
    ):
        assert problem(response, 409)["what"] == "signs is being trained"
    assert len(samples.read("signs")) == 6
