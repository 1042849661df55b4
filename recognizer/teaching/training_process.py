"""Runs training in another process, so that the live picture continues."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from typing import Any, Protocol

from recognizer.registry.store import ModelStore
from recognizer.samples.store import Samples
from recognizer.system import paths


class Training(Protocol):
    """A training run in progress."""

    def poll(self) -> dict[str, Any]: ...

    def cancel(self) -> None: ...


class Preparation(Protocol):
    """Work in the background that prepares a training run."""

    def cancel(self) -> None: ...


class TrainingProcess:
    """`python -m training learn TASK --json` in another process. `poll` returns its last report."""

    def __init__(self, task: str, models: ModelStore, samples: Samples, *options: str) -> None:
        """`options` are further ones of the command, such as "--force"."""
        command = [sys.executable, "-m", "training", "learn", task, "--json", *options]
        command += ["--models", str(models.folder.absolute()), "--samples", str(samples.folder.absolute())]
        self._process = subprocess.Popen(
            command,
            cwd=paths.ROOT,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},  # independent of the system's encoding
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._errors: list[str] = []
        self._last: dict[str, Any] = {"stage": "starting", "progress": 0.0}
        self._threads = [
            threading.Thread(target=self._read_lines, name="training-lines", daemon=True),
            threading.Thread(target=self._read_errors, name="training-errors", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(line.strip() for line in self._process.stderr if line.strip())

    def poll(self) -> dict[str, Any]:
        """The last JSON report of the process. "ended" is added when it has exited, and "error" if it failed."""
        while not self._lines.empty():
            try:
                report = json.loads(self._lines.get())
            except ValueError:
                continue
            if isinstance(report, dict):
                self._last = {**report}
        code = self._process.poll()
        if code is None or any(thread.is_alive() for thread in self._threads) or not self._lines.empty():
            return self._last
        if "published" not in self._last:
            reason = self._errors[-1] if self._errors else f"training ended with exit code {code}"
            return {**self._last, "ended": True, "error": reason}
        return {**self._last, "ended": True}

    def cancel(self) -> None:
        """Stop the process and wait for it."""
        stop(self._process)
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


class BackboneProcess:
    """`python -m training backbones` in another process. Its errors are ignored: the training run reports them again."""

    def __init__(self, models: ModelStore) -> None:
        command = [sys.executable, "-m", "training", "backbones", "--models", str(models.folder.absolute())]
        self._process = subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def cancel(self) -> None:
        stop(self._process)


def stop(process: subprocess.Popen[Any]) -> None:
    """Terminate a process and wait for it; kill it after 5 s."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
