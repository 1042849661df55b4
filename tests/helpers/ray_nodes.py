"""Processes on the nodes of the tests' Ray cluster."""

from pathlib import Path
from typing import Any


def workers(nodes: Any, task: str) -> list[int]:
    """Processes on the two nodes that currently run such a task."""
    raylets = {found.process.pid for node in nodes.list_all_nodes() for found in node.all_processes["raylet"]}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in raylets and (folder / "cmdline").read_text().startswith(task):
                found.append(int(folder.name))
        except (OSError, ValueError):  # it has just ended
            continue
    return found
