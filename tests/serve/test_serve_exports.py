"""Exporting a model over HTTP."""

import io
import zipfile
from functools import partial
from pathlib import Path

import pytest

from recognizer.registry.store import ModelStore
from recognizer.serve.routes import exports
from tests.export.own_models import publish_linear
from tests.helpers.http import problem
from tests.serve.test_serve_safe import client


def test_an_export_is_sent_as_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "export_zip", partial(exports.export_zip, golden_count=1))
    publish_linear(ModelStore(tmp_path / "models"), "mybox")
    server = client(tmp_path / "models")
    sent = server.get("/v1/exports/mybox?to=litert")
    assert sent.headers["content-disposition"] == 'attachment; filename="mybox-litert.zip"'
    names = zipfile.ZipFile(io.BytesIO(sent.content)).namelist()
    assert {"mybox-litert/model.json", "mybox-litert/predict.py", "mybox-litert/golden/00.png"} <= {*names}
    problem(server.get("/v1/exports/nothing-such"), 404)
    problem(server.get("/v1/exports/mybox?to=paper"), 422)
    body = problem(server.get("/v1/exports/mybox?golden=samples"), 422)
    assert body["found"].startswith("No task mybox"), body


def test_two_exports_at_a_time_are_refused(tmp_path: Path) -> None:
    publish_linear(ModelStore(tmp_path / "models"), "mybox")
    with exports._one_at_a_time:
        body = problem(client(tmp_path / "models").get("/v1/exports/mybox"), 429)
    assert body["found"] == "another export"
