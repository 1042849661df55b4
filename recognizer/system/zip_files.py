"""What writing a zip archive, and importing one from elsewhere, needs, whatever it contains."""

import struct
import time
import zipfile
import zlib

# the others unpack a whole entry at once, whatever its size
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# what `zipfile` raises for a damaged archive, besides OSError; NotImplementedError is a RuntimeError
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    RuntimeError,
    ValueError,
)


def new_entry(name: str, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    """An entry of now. Machines whose clock has no battery may be in 1970, and a zip knows no year before 1980."""
    now = time.localtime()
    date = max(now.tm_year, 1980), now.tm_mon, now.tm_mday
    entry = zipfile.ZipInfo(name, (*date, now.tm_hour, now.tm_min, now.tm_sec))
    entry.compress_type = compression
    entry.external_attr = 0o644 << 16
    return entry
