"""Appearance features of a hand: inner activations of MediaPipe's landmark network.

Joints show how fingers are bent, but hardly how they overlap, which distinguishes the signs M, N, S and T.
"""

import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np

from recognizer.errors import AssetError
from recognizer.preprocess import pose
from recognizer.system.native import silent_stderr

VERSION = "hand-appearance-1"  # written into each model's card; change it whenever a feature changes

SIDE = 224  # pixels of the network's input
POOLED = (1, 1152)  # shape of the pooled features of the whole picture
MAP = (1, 14, 14, 112)  # shape of the feature map, which is sampled at each joint
SIZE = POOLED[1] + pose.JOINTS * MAP[3]  # number of features
REACH = 2.0  # times a hand's size: side of the square crop, as in MediaPipe
AHEAD = 0.1  # of a hand's size: shift of the crop towards the fingertips, which lie beyond the joints
NETWORK = "hand_landmarks_detector.tflite"  # in the hand_landmarker asset
JOINTS_OUTPUT = 0  # index of the joints among the network's outputs
THREADS = 2
MODEL_IDENTIFIER = b"TFL3"  # of a LiteRT file


class AppearanceExtractor:
    """Feature extractor: MediaPipe's landmark network with inner activations as outputs.

    Raises AssetError if the asset is missing, damaged or contains a different network.
    """

    def __init__(self, task_path: Path, threads: int = THREADS):
        from ai_edge_litert.interpreter import Interpreter

        try:
            with zipfile.ZipFile(task_path) as archive:
                content = bytearray(archive.read(NETWORK))
            self._joints, self._pooled, self._map = _expose_features(content)
            with silent_stderr():
                self._network = Interpreter(model_content=bytes(content), num_threads=threads)
                self._network.allocate_tensors()
                self._input = self._network.get_input_details()[0]["index"]
        except (OSError, LookupError, ValueError, RuntimeError, struct.error, zipfile.BadZipFile) as error:
            raise AssetError(
                f"{task_path} is missing or damaged ({error}). Fetch it again: python -m recognizer assets"
            ) from error

    def features(self, crop_bgr: np.ndarray, landmarks: np.ndarray, side: str) -> np.ndarray:
        """Features (SIZE,) float32 of a hand in a crop (h, w, 3) uint8 BGR, given its joints (21, 3) in pixels of the crop.

        `side` is "left" or "right". A left hand is flipped to a right one.
        """
        return self.features_of_upright(upright(crop_bgr, landmarks, left=side == "left"))

    def features_of_upright(self, image_rgb: np.ndarray) -> np.ndarray:
        """Features (SIZE,) float32 of a picture (SIDE, SIDE, 3) uint8 RGB of an upright right hand."""
        # MediaPipe's network takes values from 0 to 1 and has no Rescaling layer
        self._network.set_tensor(self._input, np.multiply(image_rgb, np.float32(1 / 255), dtype=np.float32)[None])
        self._network.invoke()
        joints = self._network.get_tensor(self._joints).reshape(pose.JOINTS, 3)
        places = at_places(self._network.get_tensor(self._map)[0], joints[:, :2] / SIDE)
        return np.concatenate([self._network.get_tensor(self._pooled)[0], places.ravel()])


def at_places(features: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of a map (h, w, C) at places (N, 2), x and y as shares of width and height: (N, C) float32."""
    height, width = features.shape[:2]
    cells = np.clip(np.nan_to_num(places) * (width, height) - 0.5, 0, (width - 1.001, height - 1.001))
    x, y = cells.astype(int).T
    right, below = (cells - np.floor(cells)).T[..., None]
    above_row = features[y, x] * (1 - right) + features[y, x + 1] * right
    below_row = features[y + 1, x] * (1 - right) + features[y + 1, x + 1] * right
    return (above_row * (1 - below) + below_row * below).astype(np.float32)


def _expose_features(content: bytearray) -> tuple[int, int, int]:
    """Edit the bytes of a network so that POOLED and MAP replace its last two outputs.

    Returns the indices of the tensors of joints, POOLED and MAP. Raises ValueError if the network has no such tensors.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    pooled, places = feature_tensors(content)
    outputs = graph.OutputsAsNumpy()  # a view of the bytes, so that assigning to it edits them
    outputs[-1], outputs[-2] = pooled, places
    return int(outputs[JOINTS_OUTPUT]), pooled, places


def feature_tensors(content: bytes | bytearray) -> tuple[int, int]:
    """The indices of the tensors POOLED and MAP in the bytes of a network. Raises ValueError if it has no such tensors."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    tensor_of = {}
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        tensor = int(operator.Outputs(0))
        shape = tuple(int(side) for side in graph.Tensors(tensor).ShapeAsNumpy())
        tensor_of[model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode(), shape] = (
            tensor  # the last one of a shape counts
        )
    try:
        return tensor_of[schema.BuiltinOperator.MEAN, POOLED], tensor_of[schema.BuiltinOperator.ADD, MAP]
    except KeyError as error:
        raise ValueError(f"{NETWORK} has no features of shape {error.args[0][1]}") from error


def with_appearance(content: bytes) -> bytes:
    """The bytes of MediaPipe's landmark network with the appearance features, pooled and map, as further outputs.

    Raises ValueError if it has no such features.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    features = feature_tensors(content)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    graph.outputs = [*graph.outputs, *features]
    model.signatureDefs = None  # they name the first outputs only
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), MODEL_IDENTIFIER)
    return bytes(builder.Output())


def upright(
    crop_bgr: np.ndarray,
    landmarks: np.ndarray,
    *,
    left: bool,
    turn_rad: float = 0.0,
    zoom: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """The hand as MediaPipe crops it for the network: (SIDE, SIDE, 3) uint8 RGB, fingers up, a left hand flipped.

    `turn_rad`, `zoom` and `shift` (in widths of the result) augment the picture for training.
    """
    points = np.nan_to_num(landmarks[:, :2].astype(np.float64))
    roots = points[[pose.INDEX_ROOT, pose.MIDDLE_ROOT, pose.RING_ROOT]]
    x, y = np.array([0.25, 0.5, 0.25]) @ roots - points[pose.WRIST]
    angle = np.arctan2(x, -y) + turn_rad
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = points @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    size = max(1.0, float((high - low).max()))
    middle = (low + high) / 2 - (0, AHEAD * size) + np.array(shift) * REACH * size
    scale = SIDE / (REACH * size * zoom)
    matrix = np.column_stack([scale * turn, SIDE / 2 - scale * middle])
    result = cv2.warpAffine(crop_bgr, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    if left:
        result = result[:, ::-1]
    return np.ascontiguousarray(result[..., ::-1])
