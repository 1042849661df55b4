"""The errors a user can meet: one line each, saying what happened, what was found, and what to do."""


class RecognizerError(Exception):
    """Base of all errors that end in one line on stderr and exit code 2."""


class SourceError(RecognizerError):
    """A camera, video, picture folder or stream that cannot be opened or read."""


class SinkError(RecognizerError):
    """A window, video, log or folder that cannot be written."""


class ModelError(RecognizerError):
    """A model folder, card or network that is missing or damaged."""


class DataError(RecognizerError):
    """A data set that is missing, truncated or not what it should be."""


class SamplesError(RecognizerError):
    """Captured samples that cannot be stored or read, or a task or label that is not there."""


class AssetError(RecognizerError):
    """A file to be had from elsewhere that is missing, damaged, or cannot be fetched or stored."""


class DownloadError(AssetError):
    """One place that did not give a file, or gave another one; a second place may still have it."""


class SettingsError(RecognizerError):
    """A setting outside what makes sense."""


class SubjectError(SettingsError):
    """The name of a subject that there is not."""


class SyncError(RecognizerError):
    """A URL of samples or models that cannot be pulled from or pushed to."""
