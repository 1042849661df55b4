"""Feature maps of the current network for the current crop, drawn as one image."""

from pathlib import Path

import cv2
import numpy as np

from recognizer.classifiers.network import NETWORK, THREADS
from recognizer.errors import ModelError
from recognizer.system.native import silent_stderr
from recognizer.system.text import one_line

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
TILE_PX = 44  # side of each drawn map
GAP_PX = 2
LAYERS = 6  # most rows: only the first convolutions have maps that people can interpret
MAPS = 8  # most columns


class FeatureMaps:
    """Runs the network of a model folder and reads its inner activations. Raises ModelError if it is missing or damaged.

    LiteRT preserves them without taking more time, only more memory.
    """

    def __init__(self, folder: Path):
        import warnings

        from ai_edge_litert.interpreter import Interpreter

        path = folder / NETWORK
        try:
            with silent_stderr(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of LiteRT, that preserving all tensors is for debugging
                self._network = Interpreter(
                    model_path=str(path), num_threads=THREADS, experimental_preserve_all_tensors=True
                )
                self._network.allocate_tensors()
        except Exception as error:  # LiteRT raises several kinds
            raise ModelError(
                f"{path} is missing or damaged ({one_line(error)}). Fetch the model again or retrain."
            ) from error
        self._input = self._network.get_input_details()[0]
        # LiteRT has no public list of a network's operations
        operations = self._network._get_ops_details()
        outputs = [
            index for operation in operations if operation["op_name"] in CONVOLUTIONS for index in operation["outputs"]
        ]
        self._maps = [index for index in outputs if self._is_map(index)][:LAYERS]

    def _is_map(self, index: int) -> bool:
        shape = self._network._get_tensor_details(index, 0)["shape"]
        return len(shape) == 4 and min(shape[1], shape[2]) > 1

    @property
    def has_any(self) -> bool:
        """Whether the network has convolutions."""
        return bool(self._maps)

    def maps(self, values: np.ndarray) -> tuple[np.ndarray, ...]:
        """The output (h, w, maps) float32 of each convolution for one network input; () for a network without convolutions."""
        if not self._maps:
            return ()
        self._network.set_tensor(self._input["index"], values.astype(np.float32).reshape(self._input["shape"]))
        self._network.invoke()
        return tuple(self._network.get_tensor(index)[0] for index in self._maps)

    def draw(self, values: np.ndarray) -> np.ndarray | None:
        """A picture (h, w, 3) uint8 BGR with a row of maps for each convolution; None for a network without convolutions."""
        layers = self.maps(values)
        return draw_maps(layers) if layers else None


def draw_maps(layers: tuple[np.ndarray, ...]) -> np.ndarray:
    """A picture (h, w, 3) uint8 BGR with a row for the first MAPS maps of each layer (h, w, maps).

    The colours of each map range from its lowest to its highest activation.
    """
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
