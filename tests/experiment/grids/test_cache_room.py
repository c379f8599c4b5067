"""How much room converted frames will take is part of a dry run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import DictConfig
from PIL import Image
from tests.refusal import assert_names, refused

from qsense.data.errors import DataError
from qsense.experiment.grids.dry_run import cache_room

Composed = Callable[..., DictConfig]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two photographs of 2000 × 1200 pixels, which become planes of 1000 × 600."""
    (tmp_path / "images").mkdir()
    images = [{"id": i, "file_name": f"{i}.png", "width": 2000, "height": 1200} for i in range(2)]
    for image in images:
        Image.new("L", (2000, 1200)).save(tmp_path / "images" / str(image["file_name"]))
    annotation = {"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 50, 50], "area": 2500, "iscrowd": 0}
    content = {"images": images, "categories": [{"id": 1, "name": "car"}], "annotations": [annotation]}
    (tmp_path / "instances.json").write_text(json.dumps(content))
    return tmp_path


def test_room_for_frames_is_known_without_converting_them(composed: Composed, root: Path) -> None:
    cache = root / "not" / "there"
    given = ("task=detection", "data=coco_raw", f"data.dataset.root={root}", f"data.cache={cache}")
    for changes, gigabytes, size in (
        ((), "0.0096 GB", 800),  # 2 · 4 · 600 · 1000 · 2 bytes: they are smaller than 800
        (("data.test_size=300",), "0.0024 GB", 300),
        (("data.test_size=300", "data.stored=native"), "0.0096 GB", "native"),
        (("data.test_size=300", "data.stored=native", "data.cache_gb=0.005"), "0.00498 GB", 432),
        (("data.test_size=300", "data.train_sizes=[150]", "data.stored=sizes"), "0.003 GB", "150 and 300"),
        (("data.dataset.test=same", "data.cache_gb=0.0096"), "0.0096 GB", 800),  # in both parts, and stored once
    ):
        told, waiting = cache_room(composed(*given, *changes))
        assert_names(told, "COCO (simulated raw)", 2, gigabytes, size, cache, "free", "about")
        assert waiting == 2
    with refused(DataError, "data.cache_gb=0.001", 2, "0.0024 GB", 300):
        cache_room(composed(*given, "data.test_size=300", "data.cache_gb=0.001"))
    assert not cache.exists()


def test_native_frames_of_a_converter_with_memory_count(
    composed: Composed, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("task=detection", "data=coco_raw", f"data.dataset.root={root}", f"data.cache={root / 'cache'}")
    small = (*given, "data.test_size=300", "quant=row_dpcm", "bits=3")
    for changes, gigabytes, size in (
        ((), "0.0024 GB", 300),
        (("data.stored=native",), "0.0096 GB", "native"),
        (("data.stored=sizes", "data.train_sizes=[150]"), "0.003 GB", "150 and 300"),
    ):
        told, _ = cache_room(composed(*small, *changes))
        assert_names(told, "0.0096 GB", "native", gigabytes, size, "in memory")
    monkeypatch.setattr("qsense.data.frames.storing.decoded.SMALL", 0)
    assert "in memory" not in cache_room(composed(*small))[0]
    for same in ((), ("data.dataset.test=same",)):
        assert_names(cache_room(composed(*small, "data.cache_gb=0.013", *same))[0], 2, "0.0096 GB")
    with refused(DataError, "data.cache_gb=0.01", 2, "0.0096 GB", "0.0024 GB", "0.012"):
        cache_room(composed(*small, "data.cache_gb=0.01"))
    data = instantiate(composed(*small, "data.cache_gb=0.01").data, fold=0, seed=0)
    data.whole = True
    with refused(DataError, "data.cache_gb=0.01", "0.012"):
        data.prepare_data()
    assert not (root / "cache").exists()


def test_what_is_converted_is_said_to_be_there(composed: Composed, root: Path) -> None:
    config = composed("task=detection", "data=coco_raw", f"data.dataset.root={root}", f"data.cache={root / 'cache'}")
    instantiate(config.data, fold=0, seed=0).prepare_data()
    told, waiting = cache_room(config)
    assert_names(told, 2, "0.0096 GB", root / "cache")
    assert "once" not in told
    assert waiting == 0


def test_what_converts_nothing_needs_no_room(composed: Composed) -> None:
    assert cache_room(composed("task=detection", "data=synthetic_raw")) == ("", 0)
    assert cache_room(composed()) == ("", 0)
