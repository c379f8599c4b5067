"""Small data sets that callbacks look at."""

from __future__ import annotations

import pytest

from qsense.data.images.module import ImageDataModule
from qsense.data.series.module import HARDataModule
from qsense.data.series.synthetic_imu import SyntheticIMU


@pytest.fixture(scope="module")
def activities(tmp_path_factory: pytest.TempPathFactory) -> HARDataModule:
    data = HARDataModule(
        SyntheticIMU(subjects=2, sessions=1, minutes=2), cache=str(tmp_path_factory.mktemp("cache")), batch_size=4
    )
    data.setup("fit")
    return data


@pytest.fixture(scope="module")
def digits() -> ImageDataModule:
    pytest.importorskip("sklearn")
    from qsense.data.images.digits import Digits

    data = ImageDataModule(Digits(), batch_size=16)
    data.setup("fit")
    return data
