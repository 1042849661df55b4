"""Worker processes of the Ray cluster that the tests start."""

from pathlib import Path
from typing import Any


def workers(nodes: Any, task: str) -> list[int]:
    """The ids of the processes on these nodes that currently run a task whose name begins with `task`."""
    raylets = {raylet.process.pid for node in nodes.list_all_nodes() for raylet in node.all_processes["raylet"]}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and (folder / "cmdline").read_text().startswith(task):
                found.append(int(folder.name))
        except (OSError, ValueError):  # the process has just ended
            continue
    return found
