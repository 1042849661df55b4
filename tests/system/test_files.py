import os
import threading
from pathlib import Path

import pytest

from recognizer.system import files


def test_one_thread_writes_at_a_time(tmp_path: Path) -> None:
    counted = tmp_path / "count"
    counted.write_text("0")

    def count() -> None:
        for _ in range(50):
            with files.locked(tmp_path / "lock", wait_s=30):
                counted.write_text(str(int(counted.read_text()) + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted.read_text() == "200"


def test_a_lock_is_released_and_others_wait_for_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), files.locked(tmp_path / "lock", wait_s=0):
        with pytest.raises(TimeoutError), files.locked(tmp_path / "lock", wait_s=0.02):
            pytest.fail("the lock is taken")
        raise RuntimeError
    with files.locked(tmp_path / "lock", wait_s=0):
        pass


def test_appended_lines_are_complete(tmp_path: Path) -> None:
    files.append(tmp_path / "lines", b"one\n")
    files.append(tmp_path / "lines", b"two\n")
    assert (tmp_path / "lines").read_bytes() == b"one\ntwo\n"


def test_an_unfinished_file_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    files.write_file(tmp_path / "before", b"whole")
    monkeypatch.setattr(files.os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        files.write_file(tmp_path / "after", b"half")
    with pytest.raises(OSError, match="No space"):
        files.append(tmp_path / "before", b" and more")
    assert [path.name for path in tmp_path.iterdir()] == ["before"]
    assert (tmp_path / "before").read_bytes() == b"whole"


def test_replace_creates_the_target_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    files.replace(tmp_path / "file", tmp_path / "a" / "b" / "file")
    assert (tmp_path / "a" / "b" / "file").read_text() == "here"
    with pytest.raises(FileNotFoundError):
        files.replace(tmp_path / "file", tmp_path / "c" / "file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_only_a_regular_file_is_replaced(tmp_path: Path) -> None:
    """The same holds for /dev/null, which root could replace by a file."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"), files.atomic_file(tmp_path / "pipe") as file:
        file.write(b"text")
    assert (tmp_path / "pipe").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
