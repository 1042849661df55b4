"""Tells what a file is by its first bytes, since names and suffixes are often wrong."""

import importlib.util
from pathlib import Path

HEAD_BYTES = 64

PICTURES = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "AVIF", "JPEG2000", "PPM")  # Pillow's names of them
HEIC = "HEIC"
VIDEO = "video"
CAMERA_RAW = "camera raw"
UNKNOWN = ""

_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",
    b"\x1a\x45\xdf\xa3": VIDEO,  # Matroska and WebM
    b"\0\0\x01\xba": VIDEO,  # MPEG
    b"\0\0\x01\xb3": VIDEO,
    b"FLV\x01": VIDEO,
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": VIDEO,  # WMV
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
    b"PK\x03\x04": "zip",
}
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_BY_SUFFIX = (  # the first bytes of one kind, and the suffixes with which it is another one
    ("TIFF", (".dng", ".nef", ".arw", ".cr2", ".pef", ".orf", ".rw2", ".srw"), CAMERA_RAW),
    ("JPEG", (".mjpeg", ".mjpg"), VIDEO),  # JPEG pictures one after the other
)


def kind_of(head: bytes) -> str:
    """The kind of a file with these first HEAD_BYTES: one of PICTURES, HEIC, VIDEO, another name, or UNKNOWN."""
    if head[:4] == b"RIFF":
        return {b"WEBP": "WEBP", b"AVI ": VIDEO}.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return _kind_of_brands(head)
    if head[:1] == b"P" and head[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6", b"7") and head[2:3].isspace():
        return "PPM"
    text = head.lstrip().lower()
    if text.startswith((b"<svg", b"<?xml")):
        return "SVG" if b"<svg" in text else "XML"
    return next((kind for first, kind in _SIGNATURES.items() if head.startswith(first)), UNKNOWN)


def _kind_of_brands(head: bytes) -> str:
    """The kind of a file in the ISO base media format, by the brands that it names in its first box."""
    length = max(16, min(int.from_bytes(head[:4], "big"), len(head)))
    brands = [head[8:12], *(head[place : place + 4] for place in range(16, length, 4))]
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "AVIF"
    return HEIC if any(brand in _HEIC_BRANDS for brand in brands) else VIDEO


def kind_of_file(path: Path) -> str:
    """The kind of a file, as `kind_of` gives it, except for the kinds that begin like another one. Raises OSError."""
    with path.open("rb") as file:
        kind = kind_of(file.read(HEAD_BYTES))
    return next(
        (other for first, suffixes, other in _BY_SUFFIX if kind == first and path.suffix.lower() in suffixes), kind
    )


def is_picture(kind: str) -> bool:
    """Whether files of this kind can be read as pictures here; HEIC needs the package pillow-heif."""
    return kind in PICTURES or (kind == HEIC and reads_heic())


def reads_heic() -> bool:
    return importlib.util.find_spec("pillow_heif") is not None
