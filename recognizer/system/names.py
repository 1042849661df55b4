"""Names that become files and folders here, of tasks and from elsewhere, such as a URL, a zip or a card."""

import os
import unicodedata
from pathlib import Path

from recognizer.errors import UnsafeNameError

# file names that Windows reserves, with any suffix
RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"}
)
PROGRAM_FOLDERS = frozenset({"assets", "backbones"})  # folders in models/ that hold downloads, which users may delete
FORBIDDEN = frozenset('<>:"|?*\\/')  # in a file name, by Windows
NAME_LIMIT = 40  # characters of a task's name: a path of four such names stays below Windows' limit of 260
NAME_BYTES = 120  # of a task's name in UTF-8: file systems allow 255 bytes, some encrypted ones 143
FILE_NAME_BYTES = 255  # of a file name in UTF-8
PATH_BYTES = 1000  # of a whole name: Linux allows 4096 and macOS 1024, with the folder
SHOWN_CHARACTERS = 60  # characters of a refused name in an error line


def path_inside(folder: Path, name: str) -> Path:
    """The path of a file or folder inside `folder`, whose name came from elsewhere; parts are separated by "/".

    Raises UnsafeNameError if the name is not valid on every system, is hidden, or leads out of the folder, also by a
    symbolic link.
    """
    reason = _problem(name) or _encoding_problem(name)
    if not reason and not (folder / name).resolve().is_relative_to(folder.resolve()):
        reason = f"it leads out of {folder}"
    if reason:
        raise UnsafeNameError(f"{_shown(name)} is not used as a file name: {reason}. Rename it where it comes from.")
    return folder / name


def is_safe(name: str) -> bool:
    """Whether `path_inside` takes the name; symbolic links and the encoding of this file system aside."""
    return not _problem(name)


def folder_text(text: str) -> str:
    """The text with "_" for what no folder's name may contain, cut to NAME_LIMIT characters and NAME_BYTES."""
    allowed = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" or c in " -_" else "_" for c in text)
    return allowed[:NAME_LIMIT].encode()[:NAME_BYTES].decode(errors="ignore").strip()


def is_folder_name(name: str) -> bool:
    """Whether a folder can have this name on all systems, whatever language it is in."""
    return bool(name) and folder_text(name) == name and name.casefold() not in RESERVED


def is_group_name(name: str) -> bool:
    """Whether the name can be that of a session, or of a task that exists: in NFC, and no option of a command."""
    return is_folder_name(name) and not name.startswith("-") and unicodedata.is_normalized("NFC", name)


def is_task_name(name: str) -> bool:
    """Whether the name can be that of a new task: a folder of samples, and a folder of models beside the program's own."""
    return is_group_name(name) and name.casefold() not in PROGRAM_FOLDERS


def _problem(name: str) -> str:
    """Why the name cannot become a path; "" if it can."""
    try:
        size_bytes = len(name.encode())
    except UnicodeEncodeError:
        return "it has characters that no file name can have"
    if size_bytes > PATH_BYTES:
        return f"it has more than {PATH_BYTES} bytes"
    return next(filter(None, map(_part_problem, name.split("/"))), "")


def _encoding_problem(name: str) -> str:
    try:
        os.fsencode(name)
    except UnicodeEncodeError as error:
        return f"it cannot be encoded in {error.encoding}"
    return ""


def _part_problem(part: str) -> str:
    """Why one part of a name cannot be a file name; "" if it can."""
    if part in ("", ".", ".."):
        return f"{part!r} is not a file name"
    if part.startswith("."):
        return "hidden files are not taken"
    if part != part.strip() or part.endswith("."):
        return "a space at its edge, or a dot at its end, is lost on Windows"
    if FORBIDDEN & set(part) or any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in part):
        return f"no part of it may contain {' '.join(sorted(FORBIDDEN))} or control characters"
    if part.partition(".")[0].rstrip().casefold() in RESERVED:
        return f"{part} is reserved by Windows"
    return "a part of it is too long" if len(part.encode()) > FILE_NAME_BYTES else ""


def _shown(name: str) -> str:
    return repr(name if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]}…")
