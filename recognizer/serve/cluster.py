"""`python -m recognizer serve --cluster`: the same app on Ray Serve.

Two Ray Serve applications share one address. STREAMS serves /v1/stream: the number of its replicas follows the number of
open streams, and each stream stays on one replica. OWNER, with one replica, answers everything else, because samples and
jobs need a single owner. Both run the complete app; Ray Serve's routes decide which one gets a request. All replicas share
the folders of models and samples, or sync with the same URLs.
"""

import contextlib
import dataclasses
import hashlib
import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recognizer.errors import AssetError, SettingsError
from recognizer.registry.assets import find_asset
from recognizer.registry.store import ModelStore
from recognizer.registry.synced import open_models
from recognizer.samples.store import Samples
from recognizer.samples.synced import open_samples
from recognizer.serve import cluster_proxy
from recognizer.serve.app import create_app
from recognizer.serve.http.sessions import EndedSessions
from recognizer.serve.http.settings import ServeSettings
from recognizer.serve.listener import KEEP_ALIVE_S, announced, open_listener
from recognizer.serve.workers.pool import STREAMS_LIMIT
from recognizer.system import files, paths
from recognizer.system.ray_cluster import connected, first_line
from recognizer.system.synced_folder import is_synced, url_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


OWNER, STREAMS = "recognizer", "recognizer-streams"
STREAMS_PATH = "/v1/stream"
STREAMS_PER_REPLICA = 4  # target: 15 frames a second of 12 ms each use most of a core
OVER_LIMIT = 8  # requests above a replica's own limit, so that the replica can refuse them with a message
SCALING = {
    "metrics_interval_s": 1.0,
    "look_back_period_s": 2.0,
    "upscale_delay_s": 2.0,
    "downscale_delay_s": 60.0,  # longer than a page reload
}
DRAIN_S = 600.0  # a replica that is removed waits this long for its streams to end
PROXY_START_TIMEOUT_S = "60"  # the proxy starts slowly on a busy machine; the default is 5
OWNER_CONCURRENCY = 256  # requests
ENDED_POLL_S = 1.0  # how soon a session that was ended in one replica is ended in all
ALL_INTERFACES = ("0.0.0.0", "::")
HAND_MODEL = "hand_landmarker"
QUIET = {"log_level": "WARNING", "enable_access_log": False}


def serve_on_cluster(settings: ServeSettings, models: ModelStore, samples: Samples, head: str) -> int:
    """Serve until Ctrl-C. Raises SettingsError if the cluster cannot be used."""
    with open_listener(settings) as listener:
        port = listener.getsockname()[1]
    settings = dataclasses.replace(settings, port=port)
    samples.refresh()  # reports unreadable samples before anything starts
    environment = {
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": PROXY_START_TIMEOUT_S,
        cluster_proxy.CALLBACK_VARIABLE: cluster_proxy.CALLBACK,
    }
    with connected(head, **environment) as ray:
        from ray import serve

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray's own handler exits at once
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        check_folders_shared(ray, {"--models": models.folder, "--samples": samples.folder})
        cores = sum(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"])
        cluster_errors = (RuntimeError, TimeoutError, ray.exceptions.RayError, serve.exceptions.RayServeException)
        try:
            serve.start(
                # the proxies of other machines cannot listen at an address of this machine
                proxy_location="EveryNode" if settings.host in ALL_INTERFACES else "HeadOnly",
                http_options={
                    "host": settings.host, "port": port, "keep_alive_timeout_s": KEEP_ALIVE_S,
                    "ssl_certfile": settings.certificate and str(settings.certificate),
                    "ssl_keyfile": settings.key and str(settings.key),
                },
                logging_config=QUIET,
            )  # fmt: skip
            machine = this_machine(ray)
            ended = ray.remote(EndedSessions).options(num_cpus=0, resources={machine: 0.001}).remote()
            deploy(serve, settings, models, samples, max(1, int(cores)), machine, ended)
            with announced(settings):
                threading.Event().wait()
        except cluster_errors as error:
            raise SettingsError(
                f"The server did not start on the cluster ({first_line(error)}). Try again when it is less busy."
            ) from error
        finally:
            with contextlib.suppress(*cluster_errors):
                stop(serve)
    return 0


class SharedEndedSessions(EndedSessions):
    """Sessions that were ended in any replica. An actor, which is an EndedSessions, collects them."""

    def __init__(self, actor: Any) -> None:
        super().__init__()
        self._actor = actor
        threading.Thread(target=self._follow, name="ended-sessions", daemon=True).start()

    def add(self, session: str, expires_s: float) -> None:
        super().add(session, expires_s)
        self._actor.add.remote(session, expires_s)

    def _follow(self) -> None:
        import ray

        while True:
            with contextlib.suppress(ray.exceptions.RayError):
                for session, expires_s in ray.get(self._actor.all.remote()).items():
                    super().add(session, expires_s)
            time.sleep(ENDED_POLL_S)


def deploy(
    serve: Any,
    settings: ServeSettings,
    models: ModelStore,
    samples: Samples,
    most: int,
    machine: str,
    ended_sessions: Any,
) -> None:
    """Start both applications: the owner on the node with the resource `machine`, and up to `most` stream replicas.

    `ended_sessions` is an actor of EndedSessions.
    """
    common = {"logging_config": QUIET, "health_check_period_s": 2}
    owner = serve.deployment(
        serve.ingress(app_builder(settings, models, samples, ended_sessions))(),
        name=OWNER, num_replicas=1, max_ongoing_requests=OWNER_CONCURRENCY,
        ray_actor_options={"num_cpus": 0, "resources": {machine: 0.001}}, **common,
    )  # fmt: skip
    streams = serve.deployment(
        serve.ingress(app_builder(dataclasses.replace(settings, workers=1), models, samples, ended_sessions))(),
        name=STREAMS, max_ongoing_requests=STREAMS_LIMIT + OVER_LIMIT, ray_actor_options={"num_cpus": 1},
        autoscaling_config={
            "min_replicas": 1, "max_replicas": most, "target_ongoing_requests": STREAMS_PER_REPLICA, **SCALING,
        },
        graceful_shutdown_timeout_s=DRAIN_S, **common,
    )  # fmt: skip
    serve.run(owner.bind(), name=OWNER, route_prefix="/")
    serve.run(streams.bind(), name=STREAMS, route_prefix=STREAMS_PATH)


def app_builder(
    settings: ServeSettings, models: ModelStore, samples: Samples, ended_sessions: Any
) -> "Callable[[], ASGIApp]":
    """A function that creates the app in a replica on any machine. It carries the settings and assets of this machine.

    `ended_sessions` is an actor of EndedSessions.
    """
    locations = _location_of(models.folder), _location_of(samples.folder)
    settings = dataclasses.replace(settings, certificate=None, key=None)  # only the proxy uses them
    environment = {}
    data = paths.chosen(paths.DATA_VARIABLE)
    if data is not None:
        environment[paths.DATA_VARIABLE] = data
    asset = b""
    with contextlib.suppress(AssetError):  # the digits task does not need it
        asset = find_asset(HAND_MODEL).read_bytes()

    def build() -> "ASGIApp":
        os.environ |= environment
        if asset:
            os.environ[paths.ASSETS_VARIABLE] = str(stored_asset(asset))
        stores = open_models(locations[0]), open_samples(locations[1])
        app = create_app(settings, *stores, ended_sessions=SharedEndedSessions(ended_sessions), is_replica=True)

        async def without_prefix(scope: "Scope", receive: "Receive", send: "Send") -> None:
            await app({**scope, "root_path": ""}, receive, send)  # the routes of the app contain the full path

        return without_prefix

    return build


def stored_asset(asset: bytes) -> Path:
    """A folder of this machine with the hand model. All replicas on it, and later ones, use the same."""
    folder = paths.sync_folder() / f"assets-{hashlib.sha256(asset).hexdigest()[:16]}"
    path = folder / f"{HAND_MODEL}.task"
    if not path.is_file() or path.read_bytes() != asset:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".draft-{secrets.token_hex(4)}"
        files.write_file(draft, asset)
        files.replace(draft, path)
    return folder


def this_machine(ray: Any) -> str:
    """The Ray resource that only this machine has."""
    own = ray.get_runtime_context().get_node_id()
    resources = next(node["Resources"] for node in ray.nodes() if node["NodeID"] == own)
    return next(name for name in resources if name.startswith("node:") and not name.startswith("node:__"))


def _location_of(folder: Path) -> str:
    """The URL or path with which another machine opens the same store."""
    return url_of(folder) if is_synced(folder) else str(folder.resolve())


def check_folders_shared(ray: Any, folders: dict[str, Path]) -> None:
    """Raise SettingsError if a machine of the cluster cannot see one of the folders. Keys are the names of the options."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    machines = [node for node in ray.nodes() if node["Alive"]]
    is_file = ray.remote(num_cpus=0)(Path.is_file)
    for option, folder in folders.items():
        if is_synced(folder):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        probe_file = folder.resolve() / f".seen-{secrets.token_hex(4)}"
        probe_file.touch()
        try:
            futures = [is_file.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
                       .remote(probe_file) for node in machines]  # fmt: skip
            for node, is_visible in zip(machines, ray.get(futures), strict=True):
                if not is_visible:
                    raise SettingsError(
                        f"{node['NodeManagerHostname']} cannot see {folder}. Give {option} a folder that all machines "
                        "share, or a URL, such as s3://bucket/folder."
                    )
        finally:
            probe_file.unlink()


def stop(serve: Any) -> None:
    """Stop both applications, and Ray Serve itself if it runs no others."""
    if set(serve.status().applications) - {OWNER, STREAMS}:
        for name in (STREAMS, OWNER):
            serve.delete(name, _blocking=False)
    else:
        serve.shutdown()
