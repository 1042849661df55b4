"""What a terminal or a pipe cannot show is spelled out, whatever its encoding."""

import codecs
import io
import json
import sys


def spell_what_cannot_be_shown() -> None:
    """Let stdout write any text: a pipe on Windows knows no Hebrew, and a label may be."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("spelled", _spelled)
        sys.stdout.reconfigure(errors="spelled")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """What cannot be written, as JSON escapes it: a line of JSON stays one."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
