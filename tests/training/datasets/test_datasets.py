import gzip
import hashlib
import struct
import zipfile

import numpy as np
import pytest

from recognizer.errors import DataError
from recognizer.system import paths
from tests.helpers.local_server import closed_address, serving
from training.datasets import mnist as datasets_mnist
from training.datasets import sign_mnist


def mnist_arrays():
    """Arrays of the shapes of MNIST. The first pixel of each picture is its index modulo 100."""

    def part(count):
        images = np.zeros((count, 28, 28), np.uint8)
        images[:, 0, 0] = np.arange(count) % 100
        return images, (np.arange(count) % 10).astype(np.uint8)

    return *part(60000), *part(10000)


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    path = tmp_path_factory.mktemp("npz") / "mnist.npz"
    np.savez_compressed(path, **dict(zip(("x_train", "y_train", "x_test", "y_test"), mnist_arrays(), strict=True)))
    return path


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """An empty project folder without a data folder, so that no file of this machine is read or written."""
    monkeypatch.delenv("RECOGNIZER_DATA", raising=False)
    monkeypatch.setattr(paths, "home", lambda: tmp_path / "project")
    return tmp_path / "project"


def write_idx(path, array, data_type=0x08):
    header = struct.pack(f">HBB{array.ndim}I", 0, data_type, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes(), compresslevel=1))
    return path


def check_mnist(mnist):
    assert mnist.train_images.shape == (60000, 28, 28)
    assert mnist.train_images.dtype == np.uint8
    assert mnist.train_labels.dtype == np.int64
    assert mnist.train_images[59999, 0, 0] == 99
    assert mnist.train_labels[59999] == 9
    assert mnist.test_images.shape == (10000, 28, 28)
    assert mnist.test_labels[:3].tolist() == [0, 1, 2]


def one_line(error):
    """The message of a caught error. Fails if it has more than one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


def test_the_data_folder_of_the_environment_variable_is_searched_first(npz, root, monkeypatch):
    (root / "data").mkdir(parents=True)
    (root / "data" / "mnist.npz").write_bytes(b"never read")
    monkeypatch.setenv("RECOGNIZER_DATA", str(npz.parent))
    mnist = datasets_mnist.load_mnist()
    check_mnist(mnist)
    assert mnist.source == str(npz)
    assert mnist.sha256 == hashlib.sha256(npz.read_bytes()).hexdigest()


def test_mnist_is_read_from_four_idx_files(root):
    data = root / "data"
    data.mkdir(parents=True)
    for name, array in zip(datasets_mnist.MNIST_IDX, mnist_arrays(), strict=True):
        write_idx(data / name, array)
    mnist = datasets_mnist.load_mnist()
    check_mnist(mnist)
    assert (
        mnist.sha256
        == hashlib.sha256(b"".join((data / name).read_bytes() for name in datasets_mnist.MNIST_IDX)).hexdigest()
    )


def test_mnist_is_not_read_from_three_of_four_idx_files(root):
    (root / "data").mkdir(parents=True)
    for name in datasets_mnist.MNIST_IDX[:3]:
        write_idx(root / "data" / name, np.zeros((2, 2), np.uint8))
    with pytest.raises(DataError, match="could not be downloaded"):
        datasets_mnist.load_mnist(url=closed_address(), sha256="")


def test_idx_files_of_any_rank_are_read(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(datasets_mnist.read_idx(write_idx(tmp_path / "a.gz", array)), array)
    assert np.array_equal(datasets_mnist.read_idx(write_idx(tmp_path / "b.gz", array.ravel())), array.ravel())


@pytest.mark.parametrize("fraction", [0, 0.001, 0.5, 0.999])
def test_a_truncated_npz_is_named_in_the_error(npz, tmp_path, fraction):
    content = npz.read_bytes()
    path = tmp_path / "mnist.npz"
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(DataError) as error:
        datasets_mnist.read_mnist_npz(path)
    assert one_line(error).startswith(str(path))


def test_a_damaged_npz_is_named_in_the_error(npz, tmp_path):
    content = bytearray(npz.read_bytes())
    content[2000:3000] = bytes(1000)  # in the compressed pictures: the directory at the end is intact
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        datasets_mnist.read_mnist_npz(path)
    assert one_line(error).startswith(str(path))


def test_an_npz_with_other_arrays_raises_an_error(tmp_path):
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(tmp_path / "small.npz", **{name: np.zeros((3, 28, 28), np.uint8) for name in names})
    with pytest.raises(DataError, match="is not MNIST: it holds arrays of") as error:
        datasets_mnist.read_mnist_npz(tmp_path / "small.npz")
    one_line(error)
    np.savez(tmp_path / "named.npz", pictures=np.zeros(3))
    with pytest.raises(DataError, match="not MNIST in Keras' layout"):
        datasets_mnist.read_mnist_npz(tmp_path / "named.npz")
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match="not MNIST in Keras' layout"):
        datasets_mnist.read_mnist_npz(tmp_path / "single.npz")


IDX_DAMAGE = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "damaged": lambda content: content[:10] + b"\xff" + content[11:],
    "damaged pixels": lambda content: content[:-100] + bytes(50) + content[-50:],
    "not gzipped": gzip.decompress,
    "too short a header": lambda content: gzip.compress(gzip.decompress(content)[:6]),
    "too few pixels": lambda content: gzip.compress(gzip.decompress(content)[:-1]),
    "too many pixels": lambda content: gzip.compress(gzip.decompress(content) + b"\0"),
    "HTML of a login page": lambda content: gzip.compress(b"<html>please sign in</html>"),
}


@pytest.mark.parametrize("damage", IDX_DAMAGE.values(), ids=IDX_DAMAGE.keys())
def test_a_damaged_idx_file_is_named_in_the_error(tmp_path, damage):
    array = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    path = write_idx(tmp_path / "images.gz", array)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as error:
        datasets_mnist.read_idx(path)
    assert one_line(error).startswith(str(path))


def test_an_idx_file_of_another_type_raises_an_error(tmp_path):
    with pytest.raises(DataError, match="no IDX header"):
        datasets_mnist.read_idx(write_idx(tmp_path / "floats.gz", np.zeros(3, np.float32), data_type=0x0D))


@pytest.fixture
def server(npz):
    with serving(npz.read_bytes()) as address:
        yield address


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_in(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_a_missing_data_set_is_downloaded_once(server, npz, root, capsys):
    check_mnist(datasets_mnist.load_mnist(url=f"{server}/good", sha256=digest(npz)))
    assert files_in(root) == ["mnist.npz"]
    assert f"Downloading {server}/good" in capsys.readouterr().out
    check_mnist(datasets_mnist.load_mnist(url=closed_address(), sha256=""))
    assert "Downloading" not in capsys.readouterr().out


def test_a_download_with_a_wrong_checksum_is_deleted(server, root):
    with pytest.raises(DataError, match="was expected") as error:
        datasets_mnist.load_mnist(url=f"{server}/good", sha256="0" * 64)
    assert str(root / "data") in one_line(error)
    assert files_in(root) == []


@pytest.mark.parametrize("path", ["/short", "/chunked", "/gone"])
def test_an_interrupted_download_is_discarded_and_the_next_succeeds(server, npz, root, path):
    with pytest.raises(DataError) as error:
        datasets_mnist.load_mnist(url=server + path, sha256=digest(npz))
    assert one_line(error).startswith(server + path)
    assert "mnist.npz" not in files_in(root)
    check_mnist(datasets_mnist.load_mnist(url=f"{server}/good", sha256=digest(npz)))
    assert files_in(root) == ["mnist.npz"]


def test_a_download_without_a_network_raises_an_error(root):
    with pytest.raises(DataError, match="Try again when online") as error:
        datasets_mnist.load_mnist(url=closed_address(), sha256="")
    assert f"put mnist.npz into {root / 'data'}" in one_line(error)
    assert "mnist.npz" not in files_in(root)


def test_a_file_in_place_of_the_data_folder_raises_an_error(server, npz, root):
    root.mkdir()
    (root / "data").write_text("a file")
    with pytest.raises(DataError, match="cannot be written") as error:
        datasets_mnist.load_mnist(url=f"{server}/good", sha256=digest(npz))
    one_line(error)


def sign_csv(count, *, codes=(0, 1, 24, 10)):
    """A table in Kaggle's layout: a label and 784 grey levels a row. The second pixel is the number of the row."""
    lines = ["label," + ",".join(f"pixel{number}" for number in range(1, 785))]
    lines += [f"{codes[row % len(codes)]},0,{row % 256}" + ",7" * 782 for row in range(count)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def few_signs(monkeypatch):
    monkeypatch.setattr(sign_mnist, "SIGN_MNIST_SIZES", (8, 4))


def check_signs(signs):
    assert signs.train_images.shape == (8, 28, 28)
    assert signs.train_images.dtype == np.uint8
    assert signs.train_images[5, 0, :3].tolist() == [0, 5, 7]
    assert signs.train_labels.dtype == np.int64
    assert [sign_mnist.LETTERS[label] for label in signs.test_labels] == ["A", "B", "Y", "K"]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zip", "archive.zip"])
def test_sign_mnist_is_read_in_kaggles_layout(root, few_signs, suffix):
    data = root / "data"
    data.mkdir(parents=True)
    contents = {"sign_mnist_train": sign_csv(8), "sign_mnist_test": sign_csv(4)}
    for split, text in contents.items():
        if suffix == ".csv":
            (data / f"{split}.csv").write_text(text)
        elif suffix == ".csv.gz":
            (data / f"{split}.csv.gz").write_bytes(gzip.compress(text.encode()))
        elif suffix == ".csv.zip":
            with zipfile.ZipFile(data / f"{split}.csv.zip", "w") as archive:
                archive.writestr(f"{split}.csv", text)
        else:
            with zipfile.ZipFile(data / "archive.zip", "a") as archive:
                archive.writestr(f"{split}/{split}.csv", text)
    check_signs(sign_mnist.load_sign_mnist())


def test_rock_paper_and_scissors_are_the_letters_a_b_and_v(root, few_signs):
    data = root / "data"
    data.mkdir(parents=True)
    (data / "sign_mnist_train.csv").write_text(sign_csv(8, codes=(0, 1, 21, 5)))
    (data / "sign_mnist_test.csv").write_text(sign_csv(4, codes=(21, 21, 0, 24)))
    rps = sign_mnist.rps_subset(sign_mnist.load_sign_mnist())
    assert rps.train_labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert rps.test_labels.tolist() == [2, 2, 0]
    assert len(rps.train_images) == 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (sign_csv(4, codes=(9,)), "label from 0 to 24 without 9"),
        (sign_csv(4).replace(",7", ",700", 1), "grey levels"),
        ("label,pixel1\n3,4\n", "784 grey levels"),
        (sign_csv(4)[:-300], "not Sign Language MNIST"),
        ("", "not Sign Language MNIST"),
    ],
)
def test_bad_sign_mnist_is_a_one_line_error(tmp_path, text, expected):
    path = tmp_path / "sign_mnist_test.csv"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        sign_mnist.read_sign_mnist(path, "sign_mnist_test")
    assert expected in one_line(error)


def test_the_error_of_an_incomplete_sign_mnist_gives_the_number_of_rows(root, few_signs):
    data = root / "data"
    data.mkdir(parents=True)
    (data / "sign_mnist_train.csv").write_text(sign_csv(7))
    (data / "sign_mnist_test.csv").write_text(sign_csv(4))
    with pytest.raises(DataError) as error:
        sign_mnist.load_sign_mnist()
    assert "(7, 4)" in one_line(error)


def test_the_error_of_a_missing_sign_mnist_says_where_to_download_it(root):
    with pytest.raises(DataError) as error:
        sign_mnist.load_sign_mnist()
    assert "kaggle.com" in one_line(error)


def test_a_zip_without_the_table_is_a_one_line_error(tmp_path):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("other.csv", "1")
    with pytest.raises(DataError) as error:
        sign_mnist.read_sign_mnist(tmp_path / "archive.zip", "sign_mnist_train")
    assert "no sign_mnist_train.csv" in one_line(error)
