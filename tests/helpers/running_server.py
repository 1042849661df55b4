"""`python -m recognizer serve` in a process, for tests of the server."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx

from recognizer.registry.synced import default_models
from recognizer.system import paths
from tests.helpers.waiting import HANG_S


@dataclass
class Served:
    """A running server. `output` has the lines that it has printed. `client` sends its token."""

    url: str
    address: str  # with the token, for a browser
    captures: Path
    models: Path
    process: subprocess.Popen[str]
    client: httpx.Client
    output: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """The token, for clients other than `client`."""
        return bearer(self.address)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self) -> int:
        """Press Ctrl-C and wait."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(HANG_S)


def bearer(address: str) -> dict[str, str]:
    """The header with the token of a printed address."""
    return {"Authorization": f"Bearer {address.partition('token=')[2]}"}


@contextmanager
def running_server(folder: Path, *words: str, program: Sequence[str] = ("-m", "recognizer")) -> Iterator[Served]:
    """A server with samples and models in the folder. The models are copies of the shipped ones."""
    models, captures = folder / "models", folder / "captures"
    shutil.copytree(default_models().folder, models, ignore=shutil.ignore_patterns("assets"))
    command = [sys.executable, *program, "serve", "--port", "0", "--models", str(models), *words]
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT), "RECOGNIZER_CAPTURES": str(captures)}
    process = subprocess.Popen(
        command, cwd=paths.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output: list[str] = []
    try:
        assert process.stdout is not None
        line = ""
        while "Serving on" not in line:
            line = process.stdout.readline()
            output.append(line)
            assert line, "".join(output)
        address = re.search(r"(https?://\S+?:\d+)/\S*", line)
        assert address is not None, line
        reader = threading.Thread(target=output.extend, args=(process.stdout,), daemon=True)
        reader.start()
        with httpx.Client(base_url=address[1], timeout=HANG_S, headers=bearer(address[0])) as client:
            yield Served(address[1], address[0], captures, models, process, client, output)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(HANG_S)
        finally:
            process.kill()
