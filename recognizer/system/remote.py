"""Files at an fsspec URL, such as s3://bucket/models."""

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recognizer.errors import SyncError
from recognizer.system.names import is_safe
from recognizer.system.notices import warn_once
from recognizer.system.urls import text_without_secrets, without_secrets

TEXT_LIMIT = 1 << 24  # bytes of a card, a row or current.json: others may write to the URL
FILE_LIMIT = 1 << 30  # bytes of any other file: ten times the largest network


class Remote:
    """The files at a URL. Errors of its file system become SyncError. `url` is without user and password."""

    def __init__(self, url: str) -> None:
        self.url = without_secrets(url)
        self._private_url = url
        with self._as_sync_error():
            import fsspec

            self._listed: dict[str, dict[str, Any]] = {}  # what fsspec tells of each file that `names` has returned
            self._files, self._root = fsspec.core.url_to_fs(url, **({"auto_mkdir": True} if "file" in url[:5] else {}))

    def names(self, *folders: str) -> set[str]:
        """Paths of all files in the folders, relative to the URL. Unfinished uploads are left out.

        Links, named pipes and names that no local file may have are left out, too: others may write to the URL.
        """
        with self._as_sync_error():
            self._files.invalidate_cache()
            found: dict[str, dict[str, Any]] = {}
            for folder in folders:
                whole = f"{self._root}/{folder}".rstrip("/")
                if self._files.isdir(whole):  # unlike exists and find, it raises if an HTTP server cannot be reached
                    found |= self._files.find(whole, detail=True)
            start = len(self._root.rstrip("/")) + 1
            self._listed = {path[start:]: info for path, info in found.items() if not path.endswith(".part")}
        for name in sorted(name for name in self._listed if not is_safe(name)):
            warn_once(f"{self.url} contains {name[:200]!r}, which no file here may be called. It is ignored.")
        return {name for name, info in self._listed.items() if is_safe(name) and self._is_plain(name, info)}

    def get(self, name: str) -> bytes | None:
        """The file's bytes; None if it does not exist, is larger than a file of its kind may be, or is no plain file."""
        path, limit = f"{self._root}/{name}", TEXT_LIMIT if name.endswith((".json", ".csv")) else FILE_LIMIT
        with self._as_sync_error():
            try:
                info = self._listed.get(name) or self._files.info(path)
                if not self._is_plain(name, info):
                    return None
                size = info.get("size")  # HTTP servers do not always tell
                if size is not None and size <= limit:
                    return bytes(self._files.cat_file(path))
                with self._files.open(path, "rb") as file:
                    data = bytes(file.read(limit + 1))
            except FileNotFoundError:
                return None
        if len(data) <= limit:
            return data
        warn_once(f"{self.url}/{name} is larger than {limit >> 20} MB and is ignored. Remove it from the URL.")
        return None

    def _is_plain(self, name: str, info: dict[str, Any]) -> bool:
        """Whether it is a file of its own. A link leads anywhere, and reading a named pipe would wait for ever."""
        if info["type"] == "file" and not info.get("islink"):
            return True
        warn_once(f"{self.url}/{name} is a link or no plain file and is ignored. Remove it from the URL.")
        return False

    def put(self, name: str, data: bytes) -> None:
        """Write a file. It appears atomically."""
        with self._as_sync_error():
            part = f"{self._root}/{name}.{secrets.token_hex(4)}.part"
            self._files.pipe_file(part, data)
            self._files.mv(part, f"{self._root}/{name}")

    def remove(self, name: str) -> None:
        """Delete the file if it exists."""
        with self._as_sync_error(), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}")

    @contextmanager
    def _as_sync_error(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each file system raises the errors of its own library
            reason = " ".join(str(error).replace(self._private_url, self.url).split()) or type(error).__name__
            raise SyncError(
                f"{self.url} cannot be used ({text_without_secrets(reason)}). "
                "Check the address and the connection, and try again."
            ) from error
