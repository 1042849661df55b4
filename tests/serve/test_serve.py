"""The REST API of a running server."""

import threading
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest

from recognizer.pipeline import open_pipeline
from recognizer.registry import store as registry_store
from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.samples.synced import default_samples
from recognizer.sources.decoding import decode_image
from recognizer.subjects.catalogue import SUBJECTS
from recognizer.teaching.recording import ENOUGH
from recognizer.values import Frame, as_json
from tests.helpers.http import jpeg, png, problem, sheet
from tests.helpers.running_server import Served, running_server
from tests.helpers.waiting import HANG_S, until


def ended(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """Wait until the job has ended, and return it."""

    def ended_job() -> dict[str, Any] | None:
        now = client.get(f"/v1/jobs/{job['id']}").json()
        return None if now["state"] in ("queued", "running") else now

    return until(ended_job)


def test_predict_returns_the_same_as_the_pipeline(served: Served) -> None:
    data = jpeg(sheet(3, 7, 4))
    with open_pipeline("digits", open_models(served.models), default_samples(), smooth=False) as pipeline:
        image_bgr = decode_image(np.frombuffer(data, np.uint8), "drawn")
        expected = as_json(pipeline.step(Frame(image_bgr, 0, 0.0, "drawn")))
    assert expected["text"] == "374"
    for response in (
        served.client.post("/v1/predict?task=digits", content=data),
        served.client.post("/v1/predict?task=digits", files={"image": ("a.jpg", data, "image/jpeg")}),
    ):
        result = response.json()
        assert (result["text"], result["size"], result["task"]) == ("374", [480, 360], "digits")
        assert result["model"] == open_models(served.models).current("digits").name
        for region, other in zip(result["regions"], expected["regions"], strict=True):
            assert region["box"] == other["box"]
            assert region["label"] == other["label"]
            assert region["confidence"] == pytest.approx(other["confidence"], abs=1e-4)
            assert [label for label, _ in region["top"]] == [label for label, _ in other["top"]]
            assert region["image"] is None


def test_predict_with_images_returns_the_model_inputs(served: Served) -> None:
    result = served.client.post("/v1/predict?task=digits&images=true", content=png(sheet(5))).json()
    assert result["regions"][0]["image"].startswith("data:image/png;base64,")


def test_predict_of_an_empty_picture_returns_no_regions(served: Served) -> None:
    result = served.client.post("/v1/predict?task=digits", content=png(sheet())).json()
    assert (result["text"], result["regions"]) == ("", [])


def test_subjects_are_listed_with_what_can_be_drawn(served: Served) -> None:
    subjects = served.client.get("/v1/subjects").json()
    assert [subject["name"] for subject in subjects] == [*SUBJECTS]
    assert [subject["name"] for subject in subjects if subject["drawable"]] == ["paper"]
    assert all(subject["description"] for subject in subjects)


def test_tasks_are_listed_with_labels_and_models(served: Served) -> None:
    tasks = {task["name"]: task for task in served.client.get("/v1/tasks").json()}
    assert tasks["digits"]["labels"][:10] == [*"0123456789"]
    assert tasks["digits"]["region"] == "paper"
    assert tasks["digits"]["model"] == open_models(served.models).current("digits").name


def test_model_versions_are_listed_with_their_cards(served: Served) -> None:
    model = served.client.get("/v1/models/digits").json()
    (version,) = [version for version in model["versions"] if version["current"]]
    assert model["current"] == version["version"]
    assert version["card"]["labels"] == [*"0123456789"]


def test_health_and_metrics_are_served(served: Served) -> None:
    assert served.client.get("/healthz").json() == {"status": "ok"}
    served.client.post("/v1/predict?task=digits", content=png(sheet(1, 2)))
    text = served.client.get("/metrics").text
    assert 'recognizer_requests_total{method="POST",path="/v1/predict",status="200"}' in text
    assert "recognizer_stage_seconds_bucket" in text


@pytest.mark.slow
def test_a_task_can_be_created_recorded_trained_and_rolled_back(served: Served) -> None:
    client, store = served.client, Samples(served.captures)
    created = client.post("/v1/tasks", json={"name": "marks", "region": "paper", "labels": ["two", "seven"]})
    assert created.status_code == 201
    assert created.json()["model"] is None
    problem(client.post("/v1/tasks", json={"name": "Marks", "region": "paper", "labels": ["x"]}), 409)
    untrained = client.post("/v1/predict?task=marks", content=png(sheet(2))).json()
    assert (untrained["model"], untrained["regions"][0]["label"]) == (None, None)
    problem(client.get("/v1/models/marks"), 404)

    for seed in range(6):
        for label, digit in (("two", 2), ("seven", 7)):
            added = client.post(
                f"/v1/samples?task=marks&label={label}&session=s{seed // 3}", content=png(sheet(digit, seed=seed))
            )
            assert added.status_code == 201, added.text
    assert store.counts("marks") == {"two": 6, "seven": 6}
    found = client.get("/v1/samples?task=marks&label=two").json()
    assert found["total"] == 6
    sample = found["samples"][0]
    assert client.get(f"/v1/samples/{sample['id']}").json() == sample
    picture = decode_image(np.frombuffer(client.get(sample["picture"]).content, np.uint8), "sample")
    np.testing.assert_array_equal(picture, store.picture(next(s for s in store.read() if s.id == sample["id"])))
    small = decode_image(np.frombuffer(client.get(sample["picture"] + "?side=40").content, np.uint8), "sample")
    assert max(small.shape) == 40

    job = ended(client, client.post("/v1/learn", json={"task": "marks"}).json())
    assert job["state"] == "done", job["error"]
    first = job["result"]["published"]
    assert client.post("/v1/predict?task=marks", content=png(sheet(7, seed=1))).json()["text"] == "seven"

    confusion = client.get("/v1/confusion?task=marks").json()
    assert (confusion["model"], confusion["labels"]) == (first, ["two", "seven"])
    assert sum(map(sum, confusion["counts"])) == len(confusion["samples"]) == 12

    assert client.patch(f"/v1/samples/{sample['id']}", json={"label": "seven"}).json()["label"] == "seven"
    assert store.counts("marks") == {"two": 5, "seven": 7}
    wrong = client.get("/v1/confusion?task=marks").json()
    assert [(s["label"], s["read_as"]) for s in wrong["samples"] if s["id"] == sample["id"]] == [("seven", "two")]
    assert client.delete(f"/v1/samples/{sample['id']}").status_code == 204
    problem(client.get(f"/v1/samples/{sample['id']}"), 404)
    assert store.counts("marks") == {"two": 5, "seven": 6}
    restored = client.post(f"/v1/samples/{sample['id']}/restore").json()
    assert {**restored, "id": 0, "picture": 0} == {**sample, "label": "seven", "id": 0, "picture": 0}
    again = decode_image(np.frombuffer(client.get(restored["picture"]).content, np.uint8), "restored")
    np.testing.assert_array_equal(again, picture)
    problem(client.post(f"/v1/samples/{sample['id']}/restore"), 404)
    assert client.delete(f"/v1/samples/{restored['id']}").status_code == 204
    assert store.counts("marks") == {"two": 5, "seven": 6}

    problem(client.post("/v1/models/marks/rollback"), 409)
    second = ended(client, client.post("/v1/learn", json={"task": "marks"}).json())["result"]["published"]
    if second is not None:
        assert client.post("/v1/models/marks/rollback").json() == {"task": "marks", "version": first}


def test_one_training_job_per_task_runs_and_can_be_cancelled(served: Served) -> None:
    client = served.client
    client.post("/v1/tasks", json={"name": "slow", "region": "paper", "labels": ["a", "b"]})
    for label, digit in (("a", 1), ("b", 8)):
        client.post(f"/v1/samples?task=slow&label={label}", content=png(sheet(digit)))
    job = client.post("/v1/learn", json={"task": "slow"}).json()
    second = problem(client.post("/v1/learn", json={"task": "slow"}), 409)
    assert job["id"] in second["found"]
    assert job["id"] in second["remedy"]
    cancelled = client.delete(f"/v1/jobs/{job['id']}").json()
    assert cancelled["state"] == "cancelled"
    assert not (served.models / "slow" / registry_store.CURRENT).exists()
    assert job["id"] in [listed["id"] for listed in client.get("/v1/jobs").json()]
    problem(client.get("/v1/jobs/nobody"), 404)


def test_a_failed_training_job_has_an_error(served: Served) -> None:
    served.client.post("/v1/tasks", json={"name": "empty", "region": "paper", "labels": ["a", "b"]})
    problem(
        served.client.post("/v1/tasks", json={"name": "no", "region": "paper", "labels": ["a"], "sides": True}), 422
    )
    body = problem(served.client.post("/v1/learn", json={"task": "empty"}), 409)
    assert "no samples" in body["found"]
    added = served.client.post("/v1/samples?task=empty&label=a", content=png(sheet(8)))
    assert added.status_code == 201, added.text
    job = ended(served.client, served.client.post("/v1/learn", json={"task": "empty"}).json())
    assert job["state"] == "failed"
    assert job["error"]
    assert str(served.captures.parent) not in job["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/predict?task=chess", b"x", 404),
        ("POST", "/v1/predict", b"x", 422),
        ("POST", "/v1/predict?task=..%2F..%2Fetc", b"x", 422),
        ("GET", "/v1/models/chess", None, 404),
        ("GET", "/v1/models/..%2F..", None, 404),
        ("POST", "/v1/models/chess/rollback", None, 404),
        ("GET", "/v1/samples/..%2F..%2F..%2Fetc%2Fpasswd", None, 404),
        ("GET", "/v1/samples/..%5C..%5Cpasswd/picture", None, 404),
        ("DELETE", "/v1/samples/%00", None, 404),
        ("POST", "/v1/samples?task=digits&label=a%00b", b"x", 422),
        ("POST", "/v1/samples?task=digits&label=a%E2%80%AEb", b"x", 422),
        ("POST", "/v1/samples?task=digits&label=" + "a" * 61, b"x", 422),
        ("POST", "/v1/samples?task=digits&label=5&session=..%2Fup", b"x", 422),
        ("POST", "/v1/tasks", b'{"name": "../up", "region": "paper", "labels": ["a"]}', 422),
        ("POST", "/v1/tasks", b'{"name": "con", "region": "paper", "labels": ["a"]}', 422),
        ("POST", "/v1/tasks", b'{"name": "new", "region": "moon", "labels": ["a"]}', 422),
        ("POST", "/v1/tasks", b'{"name": "new", "region": "paper", "labels": ["a\\u0000"]}', 422),
        ("POST", "/v1/tasks", b'{"name": "new", "region": "paper", "labels": ["a\\u202eb"]}', 422),
        ("POST", "/v1/tasks", b"{", 422),
        ("POST", "/v1/learn", b'{"task": "chess"}', 404),
        ("PUT", "/v1/tasks", None, 405),
        ("GET", "/nowhere", None, 404),
    ],
)
def test_an_invalid_request_returns_a_problem_and_changes_nothing(
    served: Served, method: str, path: str, body: bytes | None, status: int
) -> None:
    before = sorted(served.captures.rglob("*")), sorted(served.models.rglob("*"))
    headers = {"content-type": "application/json"} if body and body.startswith(b"{") else None
    problem(served.client.request(method, path, content=body, headers=headers), status)
    assert (sorted(served.captures.rglob("*")), sorted(served.models.rglob("*"))) == before


def test_an_invalid_request_names_its_fields_in_words(served: Served) -> None:
    task = {"name": "my/hands", "region": "hand", "labels": ["ok"]}
    fields = problem(served.client.post("/v1/tasks", json=task), 422)["fields"]
    reason = "'my/hands' cannot be the name of a task. Use letters, digits, spaces, - and _, at most "
    assert list(fields) == ["name"]
    assert fields["name"].startswith(reason)


def test_a_task_says_which_samples_are_missing_before_training(served: Served) -> None:
    def few() -> dict[str, Any]:
        return next(task for task in served.client.get("/v1/tasks").json() if task["name"] == "few")

    def missing() -> str:
        return few()["missing"]

    served.client.post("/v1/tasks", json={"name": "few", "region": "paper", "labels": ["five", "six"]})
    assert few()["enough"] == {"five": ENOUGH, "six": ENOUGH}
    assert missing() == "no samples yet"
    for seed in range(4):
        served.client.post("/v1/samples?task=few&label=five", content=png(sheet(5, seed=seed)))
    assert missing() == "all samples show five: record another label to tell it from"
    served.client.post("/v1/samples?task=few&label=six", content=png(sheet(6)))
    assert missing() == "six needs 3 more"


def test_a_picture_without_a_region_is_not_recorded(served: Served) -> None:
    body = problem(served.client.post("/v1/samples?task=digits&label=5", content=png(sheet())), 422)
    assert "no writing" in body["found"]
    body = problem(served.client.post("/v1/samples?task=digits&label=five", content=png(sheet(5))), 422)
    assert "has no label five" in body["found"]


def test_concurrent_clients_get_their_own_predictions(served: Served) -> None:
    texts: dict[int, str] = {}

    def predict(number: int) -> None:
        with httpx.Client(base_url=served.url, timeout=HANG_S, headers=served.headers) as client:
            for _ in range(3):
                response = client.post("/v1/predict?task=digits", content=png(sheet(number % 10, seed=2)))
                texts[number] = response.json()["text"]

    threads = [threading.Thread(target=predict, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = {n: served.client.post("/v1/predict?task=digits", content=png(sheet(n, seed=2))).json() for n in range(10)}
    assert texts == {number: alone[number % 10]["text"] for number in range(16)}


@pytest.mark.slow
def test_ctrl_c_stops_the_server_and_leaves_complete_samples(served: Served, tmp_path) -> None:
    with running_server(tmp_path, "--workers", "2") as server:
        statuses: list[int] = []

        def record() -> None:
            with httpx.Client(base_url=server.url, timeout=HANG_S, headers=server.headers) as client:
                for seed in range(100):
                    try:
                        words = f"/v1/samples?task=digits&label=4&session=s{seed}"
                        statuses.append(client.post(words, content=png(sheet(4, seed=seed))).status_code)
                    except httpx.TransportError:
                        return

        thread = threading.Thread(target=record)
        thread.start()
        until(lambda: len(statuses) >= 5 or not thread.is_alive())
        server.stop()
        thread.join()
        assert "Traceback" not in "".join(server.output)
    store = Samples(server.captures)
    stored = store.read("digits")
    assert len(stored) >= statuses.count(201) >= 5
    assert all(store.picture(sample).size for sample in stored)
    assert not any(store.unfinished.iterdir())


ANY_LABELS = ["and/or", "..", "a\\b", "50%", "你好，再见"]


def test_any_label_that_a_task_can_have_can_be_recorded_and_deleted(served: Served) -> None:
    created = served.client.post("/v1/tasks", json={"name": "slashy", "region": "paper", "labels": ANY_LABELS})
    assert created.status_code == 201, created.text
    for label in ANY_LABELS:
        added = served.client.post("/v1/samples", params={"task": "slashy", "label": label}, content=png(sheet(4)))
        assert added.status_code == 201, added.text
        listed = served.client.get("/v1/samples", params={"task": "slashy", "label": label}).json()["samples"]
        assert [(one["id"], one["label"]) for one in listed] == [(added.json()["id"], label)]
        assert served.client.get(listed[0]["picture"]).status_code == 200
        assert served.client.delete(f"/v1/samples/{listed[0]['id']}").status_code == 204


@pytest.mark.parametrize("label", ["", " ", "a\x00b", "a\u202eb", "x" * 61])
def test_a_label_that_no_task_can_have_is_refused(served: Served, label: str) -> None:
    answer = served.client.post("/v1/tasks", json={"name": "refused", "region": "paper", "labels": [label]})
    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["../x", "con", "assets", "a.b", "-rf"])
def test_a_task_name_that_is_no_folder_name_is_refused(served: Served, name: str) -> None:
    answer = served.client.post("/v1/tasks", json={"name": name, "region": "paper", "labels": ["ok"]})
    assert 400 <= answer.status_code < 500
    assert problem(answer, answer.status_code)


def test_labels_are_limited_for_the_whole_task(served: Served) -> None:
    words = [f"label {number}" for number in range(200)]
    served.client.post("/v1/tasks", json={"name": "many", "region": "paper", "labels": words})
    answer = served.client.post("/v1/tasks/many/labels", json={"labels": ["one more"]})
    assert 400 <= answer.status_code < 500
    assert "201 labels" in answer.text


def test_samples_with_the_same_end_of_their_names_are_told_apart(served: Served) -> None:
    served.client.post("/v1/tasks", json={"name": "pairs", "region": "paper", "labels": ["ok", "stop"]})
    for label in ("ok", "stop"):
        served.client.post("/v1/samples", params={"task": "pairs", "label": label}, content=png(sheet(4)))
    store = Samples(served.captures)
    table = store.table_path.read_text(encoding="utf-8")
    names = [sample.id for sample in store.read("pairs")]
    for name, other in zip(names, ("20260101-000000-abcdef0123", "import-abcdef0123"), strict=True):
        path = next(found for found in store.folder.rglob(f"{name}.png"))
        path.rename(path.with_name(f"{other}.png"))
        table = table.replace(name, other)
    store.table_path.write_text(table, encoding="utf-8")
    assert served.client.get("/v1/samples?task=pairs").json()["total"] == 2
    assert served.client.delete("/v1/samples/20260101-000000-abcdef0123").status_code == 204
    (left,) = served.client.get("/v1/samples?task=pairs").json()["samples"]
    assert (left["id"], left["label"]) == ("import-abcdef0123", "stop")
