"""Saving and loading projects over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recognizer.serve.http import guard
from recognizer.serve.routes import projects
from tests.helpers.http import problem
from tests.serve.test_serve_access import guarded, read_all, slow_body
from tests.serve.test_serve_safe import client
from tests.teaching.test_project import Machine, saved, there  # noqa: F401  (fixtures)

PATH = guard.PROJECTS


@pytest.fixture
def server(tmp_path: Path) -> TestClient:
    return client(tmp_path / "models")


def test_a_project_is_loaded_and_saved_again(server: TestClient, saved: Path) -> None:  # noqa: F811
    loaded = server.post(PATH, content=saved.read_bytes())
    assert loaded.status_code == 201, loaded.text
    model = server.get("/v1/models/signs").json()["current"]
    assert loaded.json() == {
        "task": "signs", "added": 2, "there_already": 0, "refused": [], "model": model, "is_new_model": True, "accuracy": 0.9,
    }  # fmt: skip
    again = server.get(f"{PATH}/signs")
    assert again.headers["content-disposition"] == 'attachment; filename="signs.zip"'
    there_already = server.post(PATH, content=again.content).json()
    assert (there_already["added"], there_already["there_already"], there_already["is_new_model"]) == (0, 2, False)


def test_what_is_no_project_is_refused_without_a_path_of_the_server(server: TestClient, tmp_path: Path) -> None:
    for content in (b"", b"no zip"):
        body = problem(server.post(PATH, content=content), 422)
        assert body["found"].startswith("project.zip is not a readable project")
        assert "/" not in body["found"]
    problem(server.get(f"{PATH}/nothing-such"), 404)
    body = problem(server.get(f"{PATH}/digits"), 422)
    assert body["found"] == "digits has no samples and no model to save."


def test_only_a_project_may_be_larger_than_a_picture(server: TestClient) -> None:
    large = bytes(guard.BODY_LIMIT + 1)
    problem(server.post(PATH, content=large), 422)
    problem(server.put(PATH, content=large), 413)
    body = problem(server.post(PATH, content=b"", headers={"content-length": str(guard.PROJECT_LIMIT + 1)}), 413)
    assert body["remedy"] == "Send at most 256 MB, or run on the server: python -m recognizer tasks import"


def test_projects_that_arrive_do_not_count_as_memory_and_only_two_arrive_at_once() -> None:
    async def main() -> None:
        server = guarded(read_all([]))
        requests = [await slow_body(server, PATH, token=True, parts=3) for _ in range(guard.PROJECTS_LIMIT + 1)]
        assert [answer.get("status") for answer, _ in requests] == [None, None, 429]
        assert server._received.bodies == 0
        for _, task in requests:
            task.cancel()
        await asyncio.gather(*(task for _, task in requests), return_exceptions=True)
        assert server._received.projects == 0

    asyncio.run(main())


def test_a_full_disk_is_said(server: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(projects.tempfile, "TemporaryDirectory", full)
    assert problem(server.post(PATH, content=b"x"), 507)["found"] == "No space left on device"
