"""The joints of a moving sample, inside its picture: a chunk of the PNG file.

The picture is a strip of the movement's frames. One file holds both, so that they are stored, moved and deleted together.
Programs that do not know the chunk show the strip (PNG specification, "Private chunks"; its checksum is PNG's own).
"""

import struct
import zlib

import numpy as np

from recognizer.errors import SamplesError
from recognizer.motion.movement import LEFT, RIGHT, Movement
from recognizer.samples.png import is_complete_png
from recognizer.samples.sample import JOINTS

CHUNK = b"moVe"  # ancillary, private, safe to copy
VERSION = 1
FRAMES_LIMIT = 600  # ten seconds at 60 frames a second
DECIMALS = 2  # of the joints, in pixels
HEAD = struct.Struct(">B2sH")  # version, sides, frames
SIDES = {LEFT: b"L", RIGHT: b"R"}
HANDS = 2


def with_movement(png: bytes, movement: Movement) -> bytes:
    """The PNG data of a strip with the movement in it. Raises SamplesError if the movement is too long or has no main hand."""
    frames = len(movement.times_s)
    if not 2 <= frames <= FRAMES_LIMIT or not movement.seen[:, 0].any():
        raise SamplesError(f"A movement of {frames} frames cannot be stored. Show it again, in at most ten seconds.")
    times_s = (movement.times_s - movement.times_s[0]).astype("<f8")
    joints = np.round(movement.joints.astype("<f4"), DECIMALS)
    sides = b"".join(SIDES[side] for side in movement.sides)
    data = HEAD.pack(VERSION, sides, frames) + zlib.compress(times_s.tobytes() + joints.tobytes(), 9)
    chunk = struct.pack(">I", len(data)) + CHUNK + data + struct.pack(">I", zlib.crc32(CHUNK + data))
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]


def movement_in(png: bytes, name: str) -> Movement:
    """The movement in the PNG data of a moving sample; its times count from 0. Raises SamplesError if it is damaged."""
    data = _chunk(png) if is_complete_png(png) else None
    movement = None if data is None else _movement(data)
    if movement is None:
        raise SamplesError(f"{name} holds no readable movement. Run: python -m recognizer samples verify")
    return movement


def _chunk(png: bytes) -> bytes | None:
    start = 8
    while start + 12 <= len(png):
        size = int.from_bytes(png[start : start + 4], "big")
        if png[start + 4 : start + 8] == CHUNK:
            return png[start + 8 : start + 8 + size]
        start += 12 + size
    return None


def _movement(data: bytes) -> Movement | None:
    """The movement in a chunk; None if it is damaged. Never unpacks more than the head announces."""
    if len(data) < HEAD.size:
        return None
    version, letters, frames = HEAD.unpack_from(data)
    sides = [side for letter in letters for side, known in SIDES.items() if known[0] == letter]
    times_size, joints_size = 8 * frames, 4 * frames * HANDS * JOINTS * 3
    if version != VERSION or len(sides) != HANDS or not 2 <= frames <= FRAMES_LIMIT:
        return None
    unpacker = zlib.decompressobj()
    try:
        body = unpacker.decompress(data[HEAD.size :], times_size + joints_size)
    except zlib.error:
        return None
    if len(body) != times_size + joints_size or unpacker.unconsumed_tail:
        return None
    times_s = np.frombuffer(body[:times_size], "<f8").astype(np.float64)
    joints = np.frombuffer(body[times_size:], "<f4").astype(np.float32).reshape(frames, HANDS, JOINTS, 3)
    movement = Movement(times_s, joints, (sides[0], sides[1]))
    is_valid = np.isfinite(times_s).all() and (np.diff(times_s) > 0).all() and not np.isinf(joints).any()
    return movement if is_valid and movement.seen[:, 0].any() else None
