"""What importing a zip archive from elsewhere needs, whatever it contains."""

import struct
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
