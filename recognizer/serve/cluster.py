"""`python -m recognizer serve --cluster`: the same app on Ray Serve.

Two applications stand behind one address. STREAMS answers /v1/stream: its replicas grow in number with the open streams
and shrink again, and a stream stays with the replica that took it. Everything else, the samples and the jobs above all,
has one owner: the application OWNER, of one replica. Both are the whole app; Ray Serve's routing decides who is asked.
All of them see the same folders of models and samples, or are synced with the same URLs.
"""

import contextlib
import dataclasses
import logging
import os
import secrets
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recognizer.errors import AssetError, SettingsError
from recognizer.registry.assets import find_asset
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.samples.synced import open_samples
from recognizer.serve.app import create_app
from recognizer.serve.listener import KEEP_ALIVE_S, address, open_listener
from recognizer.serve.settings import ServeSettings
from recognizer.serve.workers.pool import STREAMS_LIMIT
from recognizer.system import paths
from recognizer.system.ray_cluster import connected, first_line
from recognizer.system.synced_folder import is_synced, url_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


OWNER, STREAMS = "recognizer", "recognizer-streams"
STREAMS_PATH = "/v1/stream"
STREAMS_PER_REPLICA = (
    4  # open streams that a replica is meant for: at 15 frames a second and 12 ms each, most of a core
)
OVER_LIMIT = 8  # more than a replica's own limit, which tells the client in words
SCALING = {
    "metrics_interval_s": 1.0,
    "look_back_period_s": 2.0,
    "upscale_delay_s": 2.0,
    "downscale_delay_s": 60.0,  # people reload pages
}
DRAIN_S = 600.0  # in which a replica that is to go lets its streams end
PROXY_START_TIMEOUT_S = "60"  # with a proxy that starts on a busy machine; Ray Serve's own is 5
OWNER_CONCURRENCY = 256  # requests
ALL_INTERFACES = ("0.0.0.0", "::")
HAND_MODEL = "hand_landmarker"
QUIET = {"log_level": "WARNING", "enable_access_log": False}


def serve_on_cluster(settings: ServeSettings, models: ModelStore, samples: Samples, head: str) -> int:
    """Answer until Ctrl-C. Raises SettingsError where the cluster cannot be used."""
    with open_listener(settings) as listener:
        port = listener.getsockname()[1]
    settings = dataclasses.replace(settings, port=port)
    samples.refresh()  # what cannot be read is reported before anything starts
    with connected(head, RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S=PROXY_START_TIMEOUT_S) as ray:
        from ray import serve

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray has its own, which ends at once
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        check_folders_shared(ray, {"--models": models.folder, "--samples": samples.folder})
        cores = sum(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"])
        failures = (RuntimeError, TimeoutError, ray.exceptions.RayError, serve.exceptions.RayServeException)
        try:
            serve.start(
                # an address of this machine alone cannot be opened on the others
                proxy_location="EveryNode" if settings.host in ALL_INTERFACES else "HeadOnly",
                http_options={
                    "host": settings.host, "port": port, "keep_alive_timeout_s": KEEP_ALIVE_S,
                    "ssl_certfile": settings.certificate and str(settings.certificate),
                    "ssl_keyfile": settings.key and str(settings.key),
                },
                logging_config=QUIET,
            )  # fmt: skip
            deploy(serve, settings, models, samples, max(1, int(cores)), this_machine(ray))
            print(f"Serving on {address(settings)} until Ctrl-C; the documentation is at /docs", flush=True)
            threading.Event().wait()
        except failures as error:
            raise SettingsError(
                f"The server did not start on the cluster ({first_line(error)}). Try again when it is less busy."
            ) from error
        finally:
            with contextlib.suppress(*failures):
                stop(serve)
    return 0


def deploy(serve: Any, settings: ServeSettings, models: ModelStore, samples: Samples, most: int, machine: str) -> None:
    """Start both applications, the owner where the resource `machine` is, and at `most` so many replicas."""

    common = {"logging_config": QUIET, "health_check_period_s": 2}
    owner = serve.deployment(
        serve.ingress(app_builder(settings, models, samples))(),
        name=OWNER, num_replicas=1, max_ongoing_requests=OWNER_CONCURRENCY,
        ray_actor_options={"num_cpus": 0, "resources": {machine: 0.001}}, **common,
    )  # fmt: skip
    streams = serve.deployment(
        serve.ingress(app_builder(dataclasses.replace(settings, workers=1), models, samples))(),
        name=STREAMS, max_ongoing_requests=STREAMS_LIMIT + OVER_LIMIT, ray_actor_options={"num_cpus": 1},
        autoscaling_config={
            "min_replicas": 1, "max_replicas": most, "target_ongoing_requests": STREAMS_PER_REPLICA, **SCALING,
        },
        graceful_shutdown_timeout_s=DRAIN_S, **common,
    )  # fmt: skip
    serve.run(owner.bind(), name=OWNER, route_prefix="/")
    serve.run(streams.bind(), name=STREAMS, route_prefix=STREAMS_PATH)


def app_builder(settings: ServeSettings, models: ModelStore, samples: Samples) -> "Callable[[], ASGIApp]":
    """What makes the app in a replica, on whichever machine that is: what it needs of this one travels with it."""
    places = _location_of(models.folder), _location_of(samples.folder)
    settings = dataclasses.replace(settings, certificate=None, key=None)  # the proxy's
    environment = {}
    data = paths.chosen(paths.DATA_VARIABLE)
    if data is not None:
        environment[paths.DATA_VARIABLE] = data
    asset = b""
    with contextlib.suppress(AssetError):  # without it digits are read as ever
        asset = find_asset(HAND_MODEL).read_bytes()

    def build() -> "ASGIApp":

        os.environ |= environment
        if asset:
            folder = Path(tempfile.mkdtemp(prefix="recognizer-assets-"))
            (folder / f"{HAND_MODEL}.task").write_bytes(asset)
            os.environ[paths.ASSETS_VARIABLE] = str(folder)
        app = create_app(settings, open_models(places[0]), open_samples(places[1]))

        async def without_prefix(scope: "Scope", receive: "Receive", send: "Send") -> None:
            await app({**scope, "root_path": ""}, receive, send)  # its routes have their whole path

        return without_prefix

    return build


def this_machine(ray: Any) -> str:
    """The resource that Ray gives this machine alone."""
    own = ray.get_runtime_context().get_node_id()
    resources = next(node["Resources"] for node in ray.nodes() if node["NodeID"] == own)
    return next(name for name in resources if name.startswith("node:") and not name.startswith("node:__"))


def _location_of(folder: Path) -> str:
    """The URL or path by which another machine opens the same store."""
    return url_of(folder) if is_synced(folder) else str(folder.resolve())


def check_folders_shared(ray: Any, folders: dict[str, Path]) -> None:
    """Raises SettingsError where a machine of the cluster does not see one of the folders, by the option's name."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    machines = [node for node in ray.nodes() if node["Alive"]]
    is_file = ray.remote(num_cpus=0)(Path.is_file)
    for option, folder in folders.items():
        if is_synced(folder):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        token = folder.resolve() / f".seen-{secrets.token_hex(4)}"
        token.touch()
        try:
            answers = [is_file.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
                     .remote(token) for node in machines]  # fmt: skip
            for node, seen in zip(machines, ray.get(answers), strict=True):
                if not seen:
                    raise SettingsError(
                        f"{node['NodeManagerHostname']} does not see {folder}. Give {option} a folder that all machines "
                        "share, or a URL, such as s3://bucket/folder."
                    )
        finally:
            token.unlink()


def stop(serve: Any) -> None:
    """End both applications, and Ray Serve with them where nobody else uses it."""
    if set(serve.status().applications) - {OWNER, STREAMS}:
        for name in (STREAMS, OWNER):
            serve.delete(name, _blocking=False)
    else:
        serve.shutdown()
