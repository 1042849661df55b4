"""Connects to a Ray cluster, for the commands with the option --cluster [ADDRESS]."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recognizer.errors import SettingsError
from recognizer.system import packages, paths

CONNECT_S = 10  # timeout of the connection to the head node
# Ray creates this file when it starts a cluster itself; the head node then requires the token
TOKEN = Path.home() / ".ray" / "auth_token"
START = "Start a cluster: ray start --head --port=6379, and on the other machines ray start --address=HOST:6379"


@contextmanager
def connected(address: str, **environment: str) -> Iterator[Any]:
    """Connect to a cluster and yield the module ray. `environment` holds environment variables for its processes.

    The project's code is uploaded with the connection. The other machines need only the installed requirements. Raises
    SettingsError.
    """
    if find_spec("ray") is None:
        raise SettingsError(f"Ray is not installed. Install it: {packages.install_command('cluster')}")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if address:
        _check_answers(address)
    code = {
        "py_modules": [str(paths.ROOT / "recognizer"), str(paths.ROOT / "training")],
        "excludes": ["__pycache__"],
        "env_vars": environment,
    }
    try:
        ray.init(address or None, runtime_env=code, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        remedy = START
        if TOKEN.is_file() and "RAY_AUTH_MODE" not in os.environ:
            remedy = f"If its head node requires the token in {TOKEN}, set RAY_AUTH_MODE=token. {START}"
        where = f" at {address}" if address else ""
        raise SettingsError(f"Connecting to a Ray cluster{where} failed ({first_line(error)}). {remedy}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise SettingsError at once if nothing listens at the address. Ray itself retries for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise SettingsError(
            f"--cluster {address} is not the HOST:PORT of a head node. Give the address that `ray start --head` prints."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise SettingsError(f"Nothing answers at --cluster {address} ({error}). {START}") from error


def first_line(error: Any) -> str:
    """The first line of an error's message, without Ray's traceback."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
