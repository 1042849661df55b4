"""The models at a real S3 interface, where any text can be a key: s3fs with moto's server on loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recognizer.registry.synced import SyncedModels, open_models
from recognizer.system.synced_folder import local_folder
from tests.helpers.hostile_keys import HOSTILE_KEYS, LINE, files_below

pytestmark = pytest.mark.slow
pytest.importorskip("s3fs", reason="needs s3fs: pip install s3fs")
moto_server = pytest.importorskip("moto.server", reason="needs moto's server: pip install 'moto[server]'")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket called models, as boto3's client of an S3 server on loopback."""
    import boto3
    import s3fs

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket="models")
    yield client
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def keys_in(bucket: Any) -> set[str]:
    return {item["Key"] for item in bucket.list_objects_v2(Bucket="models").get("Contents", [])}


def test_hostile_keys_of_a_bucket_write_nothing_outside_a_version(bucket: Any, tmp_path: Path) -> None:
    for key in HOSTILE_KEYS:
        bucket.put_object(Bucket="models", Key=f"shared/{key}", Body=LINE)
    bucket.put_object(Bucket="models", Key="shared/digits/v1/card.json", Body=LINE)
    bucket.put_object(Bucket="models", Key="shared/digits/current.json", Body=b'{"version": "v1"}')
    folder = local_folder("s3://models/shared", tmp_path / "a" / "b" / "here")
    assert open_models(folder).current("digits").name == "v1"
    here = folder.relative_to(tmp_path).as_posix()
    assert files_below(tmp_path) == {f"{here}/digits/v1/card.json", f"{here}/digits/current.json"}
    assert keys_in(bucket) >= {f"shared/{key}" for key in HOSTILE_KEYS}


def test_models_sync_through_a_bucket_and_only_deleted_ones_are_deleted(bucket: Any, tmp_path: Path) -> None:
    one, two = (open_models(local_folder("s3://models/shared", tmp_path / name)) for name in ("one", "two"))
    assert isinstance(one, SyncedModels)
    assert isinstance(two, SyncedModels)
    versions = []
    for content in (b"first", b"second"):
        with one.publishing("signs") as draft:
            (draft / "card.json").write_bytes(LINE)
            (draft / "model.tflite").write_bytes(content)
        versions.append(one.current("signs").name)
    two.pull()
    assert two.versions("signs") == versions
    (one.folder / "signs" / versions[0] / "card.json").unlink()  # damaged here: not deleted there
    one.push()
    assert f"shared/signs/{versions[0]}/card.json" in keys_in(bucket)
    two.delete("signs", versions[0])
    assert not {key for key in keys_in(bucket) if versions[0] in key and not key.endswith("current.json")}
