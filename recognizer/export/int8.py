"""The files of an 8-bit model for microcontrollers in an export: the network, a C header with it, and what it costs."""

import json
import re
from pathlib import Path

from recognizer.errors import ExportError
from recognizer.system import files

INT8 = "int8"  # the folder in an export
NETWORK, HEADER, REPORT = "classifier.tflite", "classifier.h", "report.json"
BYTES_A_LINE = 16


def add_int8(quantized: Path, folder: Path, task: str) -> str:
    """Add to the export in `folder` what `python -m training int8` wrote into `quantized`. Returns a line that says the cost.

    Raises OSError, and ExportError if the files are not there.
    """
    try:
        report, network = (
            json.loads((quantized / REPORT).read_text(encoding="utf-8")),
            (quantized / NETWORK).read_bytes(),
        )
    except (OSError, ValueError) as error:
        raise ExportError(f"The 8-bit network was not written ({error}). Try again.") from error
    (folder / INT8).mkdir()
    files.write_file(folder / INT8 / NETWORK, network, sync=False)
    files.write_file(
        folder / INT8 / REPORT, (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode(), sync=False
    )
    line = cost(report)
    files.write_file(folder / INT8 / HEADER, c_header(task, network, report["labels"], line).encode(), sync=False)
    return line


def cost(report: dict[str, float]) -> str:
    """What the 8-bit network costs, in one line."""
    return (
        f"8 bits: {report['accuracy_after']:.1%} of {report['measured_on']} samples have the right label as the most "
        f"probable one, {report['accuracy_before']:.1%} with 32 bits; {report['bytes_after'] / 1000:.0f} kB instead of "
        f"{report['bytes_before'] / 1000:.0f} kB"
    )


def c_header(task: str, network: bytes, labels: list[str], about: str) -> str:
    """A C header with the network as an array, for LiteRT for Microcontrollers."""
    name = re.sub(r"\W", "_", task, flags=re.ASCII)
    name = name if name[:1].isalpha() else f"model_{name}"
    rows = [network[start : start + BYTES_A_LINE] for start in range(0, len(network), BYTES_A_LINE)]
    lines = ",\n".join("  " + ", ".join(f"0x{byte:02x}" for byte in row) for row in rows)
    texts = ", ".join(_c_text(label) for label in labels)
    return f"""/* {about}. Input and output are int8; the output after the labels is for none of them. */
#pragma once

static const char* const {name}_labels[] = {{{texts}}};
static const unsigned int {name}_length = {len(network)};
#ifdef __cplusplus
alignas(16)
#else
_Alignas(16)
#endif
static const unsigned char {name}[] = {{
{lines}
}};
"""


def _c_text(text: str) -> str:
    """A C string literal with the text in UTF-8. Octal escapes have at most three digits, so that none swallows the next."""
    return (
        '"'
        + "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03o}" for byte in text.encode())
        + '"'
    )
