"""Fashion-MNIST."""

from pathlib import Path

from recognizer.system import paths
from training.datasets import mnist
from training.datasets.dataset import DataSet, grayscale_data_set
from training.datasets.mnist import fetch

CLOTHES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]


FASHION_PLACES = ("fashion-mnist", "fashion_mnist")  # in a data folder, where MNIST's files have the same names
SYSTEM_FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist
FASHION_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
FASHION_FILES = {  # SHA-256 of the unzipped content, because Debian compresses the files differently
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def load_fashion_mnist() -> DataSet:
    """Fashion-MNIST (Xiao et al. 2017): 60,000 training and 10,000 test images of clothes.

    Read from a data folder, or downloaded into data/. Raises DataError.
    """
    for folder in paths.data_folders():
        for name in ("fashion-mnist.npz", "fashion_mnist.npz"):
            if (folder / name).is_file():
                return grayscale_data_set("fashion-mnist", CLOTHES, mnist.read_mnist_npz(folder / name))
    own = paths.data() / "fashion-mnist"
    places = [folder / place for folder in paths.data_folders() for place in FASHION_PLACES]
    for folder in [*places, SYSTEM_FASHION]:
        if all((folder / name).is_file() for name in FASHION_FILES):
            return grayscale_data_set("fashion-mnist", CLOTHES, mnist.read_mnist_idx(folder))
    for name, sha256 in FASHION_FILES.items():
        if not (own / name).is_file():
            fetch(FASHION_URL + name, own / name, f"gunzipped:{sha256}")
    return grayscale_data_set("fashion-mnist", CLOTHES, mnist.read_mnist_idx(own))
