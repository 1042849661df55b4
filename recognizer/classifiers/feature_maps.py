"""Feature maps of the current network for the current crop, drawn as one image."""

from pathlib import Path

import cv2
import numpy as np

from recognizer.classifiers.network import NETWORK, THREADS
from recognizer.errors import ModelError
from recognizer.system.native import silent_stderr

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
TILE_PX = 44  # side of each map as it is drawn
GAP_PX = 2
LAYERS = 6  # rows at most: the first convolutions, whose maps can still be understood
MAPS = 8  # columns at most


class FeatureMaps:
    """Runs the network of a model folder so that its inner answers stay readable. Raises ModelError.

    LiteRT keeps them at no cost in time, only in memory: the network runs as fast as the classifier's own.
    """

    def __init__(self, folder: Path):
        import warnings

        from ai_edge_litert.interpreter import Interpreter

        path = folder / NETWORK
        try:
            with silent_stderr(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that keeping all tensors is meant for looking inside
                self._network = Interpreter(
                    model_path=str(path), num_threads=THREADS, experimental_preserve_all_tensors=True
                )
                self._network.allocate_tensors()
        except (ValueError, RuntimeError, OSError) as error:
            raise ModelError(f"{path} is missing or damaged ({error}). Fetch the model again or retrain.") from error
        self._input = self._network.get_input_details()[0]
        # LiteRT has no public list of a network's steps
        steps = self._network._get_ops_details()
        inner = [index for step in steps if step["op_name"] in CONVOLUTIONS for index in step["outputs"]]
        self._maps = [index for index in inner if self._is_map(index)][:LAYERS]

    def _is_map(self, index: int) -> bool:
        shape = self._network._get_tensor_details(index, 0)["shape"]
        return len(shape) == 4 and min(shape[1], shape[2]) > 1

    @property
    def has_any(self) -> bool:
        """Whether the network has convolutions."""
        return bool(self._maps)

    def maps(self, values: np.ndarray) -> tuple[np.ndarray, ...]:
        """What each convolution gives, (h, w, maps) float32, for one network input; () for a network without any."""
        if not self._maps:
            return ()
        self._network.set_tensor(self._input["index"], values.astype(np.float32).reshape(self._input["shape"]))
        self._network.invoke()
        return tuple(self._network.get_tensor(index)[0] for index in self._maps)

    def draw(self, values: np.ndarray) -> np.ndarray | None:
        """A row of maps for each convolution, (h, w, 3) uint8 BGR; None for a network without any."""
        layers = self.maps(values)
        return draw_maps(layers) if layers else None


def draw_maps(layers: tuple[np.ndarray, ...]) -> np.ndarray:
    """A row for each layer's first MAPS maps (h, w, maps), each from its weakest to its strongest answer."""
    step = TILE_PX + GAP_PX
    gray = np.zeros((len(layers) * step - GAP_PX, MAPS * step - GAP_PX), np.uint8)
    for row, layer in enumerate(layers):
        for column in range(min(MAPS, layer.shape[2])):
            tile = cv2.normalize(layer[..., column], None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)  # type: ignore[call-overload]
            top, left = row * step, column * step
            gray[top : top + TILE_PX, left : left + TILE_PX] = cv2.resize(
                tile, (TILE_PX, TILE_PX), interpolation=cv2.INTER_NEAREST
            )
    return cv2.applyColorMap(gray, cv2.COLORMAP_VIRIDIS)
