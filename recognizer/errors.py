"""The errors that users see. Each is one line: what happened, what was found, and what to do."""

import unicodedata


class RecognizerError(Exception):
    """Base of all errors that end in one line on stderr and exit code 2. `str` gives that line; see `printable`."""

    def __str__(self) -> str:
        return printable(super().__str__())


def printable(text: str) -> str:
    r"""The text on one line, without characters that steer a terminal: they become escapes such as \n and \x1b.

    A file's name may contain line breaks, a terminal's commands, and marks that reverse the direction of the text.
    """
    return "".join(c.encode("unicode_escape").decode() if _steers(c) else c for c in text)


def _steers(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Cc", "Zl", "Zp")
        or "\u202a" <= character <= "\u202e"
        or ("\u2066" <= character <= "\u2069")
    )


class SourceError(RecognizerError):
    """A camera, video, picture folder or stream that cannot be opened or read."""


class SinkError(RecognizerError):
    """A window, video, log or folder that cannot be written."""


class ModelError(RecognizerError):
    """A model folder, card or network that is missing or damaged."""


class DataError(RecognizerError):
    """A data set that is missing, truncated or in another format."""


class SamplesError(RecognizerError):
    """Samples that cannot be stored or read, or a task or label that does not exist."""


class StorageError(RecognizerError):
    """A folder of samples or models that cannot be read or written now, such as on a full disk or while it is locked."""


class SamplesStorageError(SamplesError, StorageError):
    """Samples that cannot be read or written now."""


class ModelStorageError(ModelError, StorageError):
    """Models that cannot be written now."""


class DiskFullError(SamplesStorageError):
    """A disk with too little space for more samples."""


class AssetError(RecognizerError):
    """A downloaded file that is missing or damaged, or that cannot be downloaded or stored."""


class DownloadError(AssetError):
    """A download from one URL that failed or gave another file; another URL may still have it."""


class SettingsError(RecognizerError):
    """A setting with a value that is not allowed."""


class SubjectError(SettingsError):
    """The name of a subject that does not exist."""


class TrainingError(RecognizerError):
    """A training run in another process that ended without a result."""


class SyncError(RecognizerError):
    """A URL of samples or models that cannot be pulled from or pushed to."""


class UnsafeNameError(RecognizerError):
    """A name from elsewhere that would lead out of its folder, or that is no file name on every system."""


class ExportError(RecognizerError):
    """An export of a model that cannot be written or read."""
