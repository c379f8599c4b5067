"""CIFAR-10 in its published form: six pickled batches, read without running any code they might hold.

Open it when the published batches cannot be fetched or read.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from qsense.data.cache import digest, file_digest
from qsense.data.download import download as fetch
from qsense.data.errors import DataError, DataMissingError
from qsense.data.images.dataset import (
    CIFAR10_MEAN,
    CIFAR10_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Codes,
    ImageDataset,
    Labels,
    StoredPictures,
)

FOLDER = "cifar-10-batches-py"
BINARY = "cifar-10-batches-bin"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)
FULL = 10_000  # images in each published batch
MD5 = {  # of the published batches
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
MEAN_STD = {"imagenet": (IMAGENET_MEAN, IMAGENET_STD), "cifar10": (CIFAR10_MEAN, CIFAR10_STD)}
LIMIT = 64 << 20  # bytes; a published batch has 31 MB


class CIFAR10(ImageDataset):
    """60 000 photographs of 32 × 32 pixels in 10 classes, 50 000 to train and 10 000 to test (Krizhevsky 2009).

    Read from `cifar-10-batches-py`, the layout that torchvision uses, too. A batch of 10 000 images must have the
    published checksum. Batches that hold fewer are taken as they are, and `name` says how many there were.

    Mean and standard deviation are those of ImageNet, which akamaster's pretrained networks expect, or CIFAR-10's own,
    as other published networks (FAT's) do.

    Args:
        root: the folder of the batches, whatever its name, or one that holds `cifar-10-batches-py`.
        download: fetch the archive (170 MB) into `root` if the data is missing.
        sha256: checksum the archive must have to be unpacked (hex); None accepts any and logs it. Complete batches
            are checked against their own.
        mean_std: by whose mean and standard deviation the network expects its input: "imagenet" or "cifar10".

    Raises:
        ValueError: another `mean_std`.
    """

    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    colours = ("red", "green", "blue")

    def __init__(
        self,
        root: str,
        download: bool = False,
        sha256: str | None = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        mean_std: Literal["imagenet", "cifar10"] = "imagenet",
    ) -> None:
        if mean_std not in MEAN_STD:
            raise ValueError(f"mean_std={mean_std!r}: {type(self).__name__} allows {', '.join(MEAN_STD)}")
        self.mean, self.std = MEAN_STD[mean_std]
        self.name = "CIFAR-10"  # what is found when it is read may add to it
        self.root = Path(root).expanduser()
        self.download = download
        self.sha256 = sha256
        self._counts: dict[str, int] = {}

    def check(self) -> None:
        """See the base class."""
        missing = [name for name in (*TRAIN, *TEST) if not (self._folder() / name).is_file()]
        if missing and not self.download:
            raise DataMissingError(
                f"CIFAR-10 is not in {self.root.absolute()}: {self._folder() / missing[0]} is "
                f"missing{self._near()}. Get it from {self.url} by data.dataset.download=true, or point at its folder "
                f"with data.dataset.root=… or QSENSE_DATA"
            )

    def prepare(self) -> None:
        """Download and unpack the archive, if the data is missing and that was asked for."""
        self.check()
        if self.download and not all((self._folder() / name).is_file() for name in (*TRAIN, *TEST)):
            archive = self.root / "cifar-10-python.tar.gz"
            fetch(self.url, archive, self.sha256)
            _unpack(archive, self.root / FOLDER)

    def fingerprint(self) -> str:
        """SHA-256 (hex) over the six batches; fetches them first, if that was asked for."""
        self.prepare()
        return digest(self.classes, [(name, file_digest(self._folder() / name)) for name in (*TRAIN, *TEST)])

    def train(self) -> StoredPictures:
        """See the base class."""
        return self._part(TRAIN)

    def test(self) -> StoredPictures:
        """See the base class."""
        return self._part(TEST)

    def _folder(self) -> Path:
        """Where the batches are: below the root, in it, or a folder deeper, as some programs unpack."""
        inside = self.root / FOLDER
        deeper = sorted(self.root.glob(f"*/{FOLDER}")) if self.root.is_dir() else []
        for folder in (inside, self.root, *deeper):
            if (folder / TRAIN[0]).is_file():
                return folder
        return self.root if self.root.name == FOLDER and not inside.is_dir() else inside

    def _near(self) -> str:
        """What lies there instead, for a message."""
        for folder in (self.root, self.root / BINARY):
            if (folder / f"{TRAIN[0]}.bin").is_file():
                return f", and {folder.absolute()} holds the binary version: the python version is needed"
        for name in ("cifar-10-python.tar.gz", "cifar-10-python.tar"):
            if (self.root / name).is_file():
                return f", and {name} beside it is not unpacked: tar -xf {self.root.absolute() / name}"
        if any((self.root / part / self.classes[0]).is_dir() for part in ("train", "test", ".")):
            return ", but there are images in class folders: those are read with data=folder"
        return ""

    def _part(self, names: tuple[str, ...]) -> StoredPictures:
        self.prepare()
        batches = [read_batch(self._folder() / name, len(self.classes)) for name in names]
        self._counts |= {name: len(y) for name, (_, y) in zip(names, batches, strict=True)}
        self.name = f"CIFAR-10{_extent(list(self._counts.values()))}"
        return StoredPictures(np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches]))


def _extent(counts: list[int]) -> str:
    """What to add to the name: nothing if all batches are complete.

    >>> _extent([10_000, 10_000]), _extent([1017, 1017])
    ('', ' (first 1017 of 10000 per batch)')
    """
    if set(counts) == {FULL}:
        return ""
    if len(set(counts)) == 1:
        return f" (first {counts[0]} of {FULL} per batch)"
    return f" ({sum(counts)} of {FULL * len(counts)} images)"


def read_batch(file: Path, classes: int) -> tuple[Codes, Labels]:
    """Images [N, 3, 32, 32] and classes [N] of one pickled batch.

    Raises:
        DataError: not such a batch, or 10 000 images without the published checksum; the file is named.
    """
    if file.stat().st_size > LIMIT:
        raise DataError(f"{file} has {file.stat().st_size} bytes; a CIFAR-10 batch has about 31 million")
    content = file.read_bytes()
    try:
        batch = _DataOnly(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise DataError(f"{file} is not a CIFAR-10 batch or damaged ({error}): delete it and fetch it again") from error
    x, y = (batch.get(b"data"), batch.get(b"labels")) if isinstance(batch, dict) else (None, None)
    if not isinstance(x, np.ndarray) or not isinstance(y, list):
        raise DataError(f"{file} is no CIFAR-10 batch: it must hold an array 'data' and a list 'labels'")
    if x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != 3072 or not len(x):
        raise DataError(f"{file}: 'data' is {x.dtype} {list(x.shape)}, but uint8 [images, 3072] is expected")
    if len(y) != len(x):
        raise DataError(f"{file} has {len(x)} images but {len(y)} labels")
    for number, label in enumerate(y):
        if not isinstance(label, int) or not 0 <= label < classes:
            raise DataError(f"{file}, image {number}: the label is {label!r}, but 0 … {classes - 1} are expected")
    expected = MD5.get(file.name)
    seen = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if len(x) >= FULL and expected is not None and seen != expected:
        raise DataError(
            f"{file} holds {len(x)} images but has the MD5 {seen} instead of the published {expected}: "
            f"delete it and fetch it again"
        )
    return x.reshape(-1, 3, 32, 32), np.array(y, dtype=np.int64)


class _DataOnly(pickle.Unpickler):
    """Rebuilds arrays, numbers and texts and nothing else, whatever a pickle asks for."""

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct"):
                return _empty_array
            case "numpy", "ndarray":
                return np.ndarray
            case "numpy", "dtype":
                return np.dtype
            case "_codecs", "encode":
                return _latin1
            case (("__builtin__" | "builtins"), "bytes"):
                return _empty_bytes
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no image needs")


def _empty_array(kind: type, shape: Any, dtype: Any) -> Any:
    if kind is not np.ndarray or tuple(shape) != (0,):  # what every pickled array starts as
        raise pickle.UnpicklingError("it asks for an array of an unusual kind")
    return np.ndarray(0, dtype=np.int8)


def _empty_bytes() -> bytes:
    return b""


def _latin1(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


def _unpack(archive: Path, folder: Path) -> None:
    """Take the six batches out of the published archive and nothing else; all of them appear at once."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with tarfile.open(archive) as source:
            for name in (*TRAIN, *TEST):
                member = source.extractfile(f"{FOLDER}/{name}")
                if member is None:
                    raise DataError(f"{archive}: {FOLDER}/{name} is not a file")
                (temporary / name).write_bytes(member.read(LIMIT))
        if folder.is_dir():  # incomplete, else nothing would have been fetched
            shutil.rmtree(folder)
        temporary.chmod(0o755)
        temporary.rename(folder)
    except (tarfile.TarError, KeyError, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{archive} is damaged or incomplete ({error}): delete it and fetch it again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
