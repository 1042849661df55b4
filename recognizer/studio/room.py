"""Renders the room around a sheet: light, walls, a person, sensor noise."""

import cv2
import numpy as np


def draw_light(size_wh: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """The illumination, (H, W, 3) uint8, 255 for full light: brighter on one side, often with a shadow."""
    x, y = np.meshgrid(np.linspace(-1, 1, 96), np.linspace(-0.5625, 0.5625, 54))
    angle = rng.uniform(0, 2 * np.pi)
    light = 1.02 + rng.uniform(0.03, 0.16) * (x * np.cos(angle) + y * np.sin(angle))
    light -= rng.uniform(0.04, 0.12) * (x**2 + y**2)
    if rng.random() < 0.55:
        angle = rng.uniform(0, 2 * np.pi)
        distance = x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.1, 0.5)
        distance += 0.06 * np.sin(3 * (x * np.sin(angle) - y * np.cos(angle)) + rng.uniform(0, 6))
        dark = rng.uniform(0.2, 0.5)
        light *= 1 - dark / (1 + np.exp(-distance / rng.uniform(0.012, 0.1)))
    light *= rng.uniform(0.84, 1.06)
    warm = rng.normal(0, 0.035)
    tint = np.array([1 - warm, 1, 1 + warm]) * 255
    small = np.clip(light[..., None] * tint, 0, 255).astype(np.uint8)
    return cv2.resize(small, size_wh, interpolation=cv2.INTER_CUBIC)


def exposed_for_hand(light: np.ndarray, x: float) -> np.ndarray:
    """The light after auto-exposure for a hand at column x."""
    height = light.shape[0]
    part = light[height // 4 : -height // 4, max(0, round(x - height / 4)) : round(x + height / 4)]
    return cv2.convertScaleAbs(light, alpha=float(np.clip(0.92 * 255 / part.mean(), 1, 1.5)))


NOISE_OFFSET = 32  # the value of zero noise


def draw_sensor_noise(size_wh: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise as it remains after a webcam's denoising and JPEG. Larger than a frame, (H, W, 3) uint8 with mean NOISE_OFFSET."""
    tile_px = 512
    tile = np.zeros((tile_px, tile_px, 3), np.float32)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (tile_px, tile_px)).astype(np.float32), (0, 0), 0.7)
    tile += 1.9 * grain[..., None] / grain.std()
    for cells, strength in ((8, 0.7), (16, 0.9)):  # JPEG's luma and chroma blocks
        shape = (tile_px // cells, tile_px // cells, 1 if cells == 8 else 3)
        blocks = rng.normal(0, strength, shape).astype(np.float32)
        tile += blocks.repeat(cells, axis=0).repeat(cells, axis=1)
    small = np.clip(np.rint(tile + NOISE_OFFSET), 0, 2 * NOISE_OFFSET).astype(np.uint8)
    width, height = size_wh
    times = (height + 128) // tile_px + 1, (width + 128) // tile_px + 1
    return np.ascontiguousarray(np.tile(small, (*times, 1))[: height + 128, : width + 128])


def draw_room(
    size_wh: tuple[int, int], skin: tuple[int, int, int], shirt: tuple[int, int, int], rng: np.random.Generator
) -> np.ndarray:
    """The dim room behind the sheet, out of focus, with a person, (H, W, 4) uint8."""
    width, height = 640, 360  # low resolution is enough, since it is blurred
    wall = np.array([(158, 168, 176), (140, 150, 152), (164, 162, 152), (128, 146, 166)][rng.integers(4)], np.float32)
    fall = (
        np.linspace(1.08, 0.62, width, dtype=np.float32)[None, :]
        * np.linspace(1.05, 0.8, height, dtype=np.float32)[:, None]
    )
    if rng.random() < 0.5:
        fall = fall[:, ::-1]
    room = (fall[..., None] * wall).astype(np.uint8)
    left = rng.random() < 0.5
    for draw, at in ((_window, 0.02), (_shelf, 0.66)) if left else ((_shelf, 0.02), (_window, 0.7)):
        draw(room, round(at * width), rng)
    if rng.random() < 0.6:
        x = round(rng.uniform(0.36, 0.6) * width)  # a door
        cv2.rectangle(room, (x, 60), (x + 92, height), tuple(int(v) for v in wall * 0.78), -1)
        cv2.rectangle(room, (x, 60), (x + 92, height), tuple(int(v) for v in wall * 0.55), 3)
    room = cv2.GaussianBlur(room, (0, 0), 5.5)
    _person(room, np.array(skin) * 0.85, np.array(shirt) * 0.85, rng)
    return cv2.cvtColor(cv2.resize(room, size_wh, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2BGRA)


def draw_wall(size_wh: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A wall close behind the hand, (H, W, 4) uint8: plaster, with a corner of the room or a picture."""
    width, height = 640, 360
    color = np.array(
        [(196, 204, 208), (176, 190, 202), (170, 176, 170), (112, 120, 130), (150, 172, 190)][rng.integers(5)]
    )
    coarse = cv2.resize(rng.normal(1, 0.035, (5, 8)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    fine = rng.normal(0, 0.012, (height, width)).astype(np.float32)
    begin, end = rng.permutation([0.8, 1.06])
    fall = np.linspace(begin, end, width, dtype=np.float32)[None, :]
    wall = np.clip(((coarse + cv2.GaussianBlur(fine, (0, 0), 0.8)) * fall)[..., None] * color, 0, 255).astype(np.uint8)
    which = rng.random()
    if which < 0.35:  # a picture in its frame
        x, y = int(rng.integers(30, 420)), int(rng.integers(20, 90))
        cv2.rectangle(wall, (x, y), (x + 170, y + 120), (44, 56, 66), 7)
        cv2.rectangle(wall, (x + 4, y + 4), (x + 166, y + 116), tuple(int(v) for v in rng.integers(110, 190, 3)), -1)
        cv2.ellipse(wall, (x + 85, y + 90), (60, 26), 0, 180, 360, tuple(int(v) for v in rng.integers(80, 150, 3)), -1)
    elif which < 0.7:  # the corner of the room
        x = int(rng.integers(60, 580))
        wall[:, x:] = (wall[:, x:] * 0.82).astype(np.uint8)
    wall = cv2.GaussianBlur(wall, (0, 0), 1.8)
    return cv2.cvtColor(cv2.resize(wall, size_wh, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2BGRA)


def _window(room: np.ndarray, x: int, rng: np.random.Generator) -> None:
    top, wide, high = rng.integers(20, 50), rng.integers(100, 150), rng.integers(150, 190)
    cv2.rectangle(room, (x, top), (x + wide, top + high), (96, 104, 108), 7)
    cv2.rectangle(room, (x, top), (x + wide, top + high), (214, 208, 198), -1)
    cv2.line(room, (x + wide // 2, top), (x + wide // 2, top + high), (110, 116, 120), 5)
    cv2.line(room, (x, top + high // 2), (x + wide, top + high // 2), (110, 116, 120), 4)


def _shelf(room: np.ndarray, x: int, rng: np.random.Generator) -> None:
    wide, colors = (
        190,
        np.array([(60, 60, 140), (130, 90, 50), (70, 120, 90), (60, 130, 170), (120, 120, 124), (50, 48, 46)]),
    )
    for top in (70, 165, 260):
        cv2.rectangle(room, (x, top), (x + wide, top + 82), (48, 58, 70), -1)
        at = x + 4
        while at < x + wide - 16:
            thick, tall = int(rng.integers(6, 17)), int(rng.integers(46, 74))
            if rng.random() < 0.88:
                color = colors[rng.integers(len(colors))] * rng.uniform(0.6, 1.05)
                cv2.rectangle(room, (at, top + 82 - tall), (at + thick, top + 82), tuple(int(v) for v in color), -1)
            at += thick + 1
        cv2.rectangle(room, (x - 4, top + 82), (x + wide + 4, top + 90), (78, 100, 124), -1)


def _person(room: np.ndarray, skin: np.ndarray, shirt: np.ndarray, rng: np.random.Generator) -> None:
    """Draws a blurred person behind the sheet, in place: shoulders, neck, head and hair."""
    height, width = room.shape[:2]
    body = room.copy()
    cover = np.zeros((height, width), np.uint8)
    x = round(width * rng.uniform(0.4, 0.6))
    hair = np.array([(24, 28, 36), (34, 52, 78), (60, 62, 66), (28, 40, 62)][rng.integers(4)]) * 0.8

    def spot(center: tuple[int, int], axes: tuple[int, int], color: np.ndarray) -> None:
        cv2.ellipse(body, center, axes, 0, 0, 360, tuple(int(v) for v in color), -1, cv2.LINE_AA)
        cv2.ellipse(cover, center, axes, 0, 0, 360, 255, -1, cv2.LINE_AA)

    spot((x, 92), (66, 84), hair)
    spot((x, 372), (168, 152), shirt)
    spot((x, 205), (30, 50), skin * 0.8)
    spot((x, 116), (54, 76), skin)
    spot((x, 52), (55, 28), hair)
    for eye in (x - 21, x + 21):
        spot((eye, 106), (9, 4), skin * 0.45)
        spot((eye, 94), (13, 3), hair * 0.8 + skin * 0.2)
    spot((x + 3, 132), (8, 5), skin * 0.8)
    spot((x, 156), (19, 5), skin * np.array([0.75, 0.65, 0.85]))
    body = cv2.GaussianBlur(body, (0, 0), 3.2)
    soft = cv2.GaussianBlur(cover, (0, 0), 3.2).astype(np.float32)[..., None] / 255
    room[:] = (room + soft * (body.astype(np.float32) - room)).astype(np.uint8)
