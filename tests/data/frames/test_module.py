"""The data module of frames: parts, order, sizes, padding, mirroring, exact codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule, Trainer
from omegaconf import DictConfig, OmegaConf
from tests.refusal import assert_names, refused
from torch import Tensor

from qsense.data.errors import DataError
from qsense.data.frames.batches.arranging import arranged, mirror
from qsense.data.frames.batches.batch import FrameBatch
from qsense.data.frames.batches.part import padded
from qsense.data.frames.dataset import Frame, FrameDataset, Part
from qsense.data.frames.geometry.nearest import resize, target_size
from qsense.data.frames.geometry.stored_sizes import ShortSide, ShortSides, as_stored
from qsense.data.frames.module import DetectionDataModule
from qsense.data.frames.samples import spread
from qsense.experiment import signatures
from qsense.experiment.compose import stated_by_options
from qsense.experiment.schema import config_folder
from qsense.signal import Signal


def annotated(number: int, height: int, width: int, condition: int = 0) -> Frame:
    """Frame i has i mod 3 boxes."""
    count = number % 3
    left = np.arange(count, dtype=np.float32)
    boxes = np.stack([left, left + 1, left + 5, left + 8], axis=1).reshape(-1, 4)
    labels = np.arange(count, dtype=np.int64)
    return Frame(
        number,
        f"frame {number}",
        height,
        width,
        boxes,
        labels,
        np.zeros(count, dtype=bool),
        np.full(count, 35, dtype=np.float32),
        condition,
    )


class Memory(FrameDataset):
    """Frame i has codes that differ everywhere and tell i; the test frames follow the training frames."""

    name = "Memory"
    classes = ("a", "b")
    simulated = True

    def __init__(
        self, train: int = 20, test: int = 5, sizes: Sequence[tuple[int, int]] = ((40, 70),), bits: int = 12
    ) -> None:
        self.counts = (train, test)
        self.sizes = sizes
        self.bits = bits
        self.prepared: list[tuple[Path, ShortSide]] = []

    @property
    def signal(self) -> Signal:
        return Signal(4, 0.0, 1.0, "full scale", native_bits=self.bits, bayer="RGGB", conditions=("day", "night"))

    def check(self) -> None:
        pass

    def prepare(self, cache: Path, short_side: ShortSide) -> None:
        self.prepared.append((cache, short_side))

    def fingerprint(self) -> str:
        return f"{self.counts} {self.sizes}"

    def frames(self, part: Part) -> list[Frame]:
        first, count = (0, self.counts[0]) if part == "train" else self.counts
        made = []
        for number in range(first, first + count):
            height, width = self.sizes[number % len(self.sizes)]
            made.append(annotated(number, 2 * height, 2 * width, condition=int(number % 10 == 9)))
        return made

    def codes(self, frame: Frame) -> Any:
        shape = (4, frame.height // 2, frame.width // 2)
        values = np.arange(np.prod(shape)).reshape(shape) * 7 + frame.id
        kind = {8: np.uint8, 12: np.uint16, 16: np.uint16, 24: np.uint32}[self.bits]
        codes = (values % (1 << self.bits)).astype(kind)
        codes[0, 0, 0] = frame.id
        codes[3, -1, -1] = (1 << self.bits) - 1
        return as_stored(codes, self.prepared[-1][1] if self.prepared else None)


def module(data: Memory | None = None, **arguments: Any) -> DetectionDataModule:
    made = DetectionDataModule(data or Memory(), **{"batch_size": 4, **arguments})
    made.setup()
    return made


def numbers(batches: Any) -> list[int]:
    return [frame.id for batch in batches for frame in batch.frames]


@pytest.mark.parametrize("frames", [1, 20, 50, 51, 148, 150, 152, 295, 300, 442, 500])
def test_a_sample_meets_conditions_that_take_turns(frames: int) -> None:
    conditions = [place % 3 for place in range(frames)]
    places = spread(conditions, 50)
    assert len(set(places.tolist())) == min(frames, 50)
    counts = np.bincount([conditions[place] for place in places], minlength=min(frames, 3))
    assert (counts >= min(frames, 50) / 3 / 2 - 1e-9).all()
    if frames == 500:
        assert places.tolist() == np.linspace(0, 499, 50).astype(int).tolist()  # as without conditions


def test_parts_are_disjoint_and_complete() -> None:
    data = module(validation=0.1)
    train, val, test = (numbers(x) for x in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()))
    assert sorted(train + val) == list(range(20))
    assert len(val) == 3  # two by day and one of the two by night
    assert sum(number % 10 == 9 for number in val) == 1
    assert test == list(range(20, 25))
    assert numbers(module(validation=0.1, seed=3).val_dataloader()) == val
    assert module().val_dataloader() == []
    counted = data.statistics
    assert (counted["train_frames"], counted["validation_frames"], counted["test_frames"]) == (17, 3, 5)
    assert counted["test_boxes_per_class"] == [3, 2]
    assert counted["test_frames_without_boxes"] == 2
    assert counted["simulated"] is True
    assert (counted["native_bits"], counted["black"], counted["white"]) == (12, 0, 4095)


def test_a_condition_of_test_frames_alone_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    module(Memory(train=20, test=10))
    assert not caplog.records
    module(Memory(train=9, test=3))
    assert_names(caplog.text, "night (1)", "quant=gamma_per_condition")


def test_facts_are_those_of_the_data_set() -> None:
    data = module()
    assert data.object_classes == data.num_classes == 2
    assert data.class_names == ("a", "b")
    assert data.gives == "frames"
    assert data.signal.bayer == "RGGB"
    assert data.mean == FrameDataset.mean
    assert data.simulated


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        loader = module(seed=seed).train_dataloader()
        loader.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        torch.rand(1)
        return numbers(loader)

    assert order(0, 1) == order(0, 1)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


@pytest.mark.parametrize("bits", [8, 12, 16, 24])
def test_codes_arrive_exactly_and_padded_to_32(bits: int) -> None:
    source = Memory(bits=bits)
    data = module(source)
    raw = next(iter(data.test_dataloader()))
    assert raw.x.dtype == {8: torch.uint8, 12: torch.uint16, 16: torch.uint16, 24: torch.uint32}[bits]
    batch = data.on_after_batch_transfer(raw, 0)
    assert batch.x.dtype == torch.int32
    assert batch.x.shape == (4, 4, 64, 96)
    assert batch.sizes == [(40, 70)] * 4
    for row, frame in zip(batch.x, batch.frames, strict=True):
        np.testing.assert_array_equal(row[:, :40, :70].numpy(), source.codes(frame).astype(np.int64))
    assert not batch.x[:, :, 40:].any()
    assert not batch.x[:, :, :, 70:].any()
    assert int(batch.x.max()) == (1 << bits) - 1


@pytest.mark.parametrize("sizes", [((40, 70),), ((40, 70), (70, 40), (44, 44))])
def test_test_frames_are_resized_by_nearest_neighbour(sizes: Sequence[tuple[int, int]]) -> None:
    source = Memory(sizes=sizes, bits=16)
    data = module(source, test_size=64, longest=100)
    batch = data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)
    expected = {(40, 70): (57, 100), (70, 40): (100, 57), (44, 44): (64, 64)}
    assert batch.x.shape[-2:] == padded(batch.sizes)
    for row, frame, (height, width) in zip(batch.x, batch.frames, batch.sizes, strict=True):
        assert (height, width) == expected[frame.height // 2, frame.width // 2]
        np.testing.assert_array_equal(
            row[:, :height, :width].numpy(), resize(source.codes(frame).astype(np.int32), (height, width))
        )
        assert not row[:, height:].any()
        assert not row[:, :, width:].any()


def test_training_frames_take_sizes_from_the_list_and_half_are_mirrored() -> None:
    source = Memory(train=200, sizes=((40, 50),))
    data = module(source, batch_size=200, train_sizes=[32, 40, 48], flip=True)
    raw = next(iter(data.train_dataloader()))
    before = raw.x.clone()
    torch.manual_seed(0)
    batch = data.augmented(raw)
    assert torch.equal(raw.x.int(), before.int())
    assert {height for height, _ in batch.sizes} == {32, 40, 48}
    assert batch.x.shape[-2:] == (64, 64)
    mirrored = 0
    for row, frame, old, (height, width) in zip(batch.x, batch.frames, raw.frames, batch.sizes, strict=True):
        plain = torch.from_numpy(resize(source.codes(old).astype(np.int32), (height, width)))
        shown = row[:, :height, :width]
        if torch.equal(shown, plain):
            assert frame is old
        else:
            assert torch.equal(shown, plain.flip(-1))
            np.testing.assert_array_equal(frame.boxes, mirror(old).boxes)
            mirrored += 1
    assert 70 < mirrored < 130
    torch.manual_seed(0)
    assert torch.equal(data.augmented(raw).x, batch.x)


def test_what_is_resized_keeps_its_boxes_on_the_object() -> None:
    """A lit block, its box, and both after resizing and mirroring: the box still holds the block."""
    codes = torch.zeros(1, 4, 40, 64, dtype=torch.int32)
    codes[:, :, 8:20, 16:32] = 4000
    box = np.array([[32, 16, 64, 40]], dtype=np.float32)
    one = np.ones(1, dtype=np.float32)
    frame = Frame(0, "block", 80, 128, box, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=bool), one)
    batch = arranged(FrameBatch(codes, [(40, 64)], [frame]), [(80, 128)], [True])
    left, top, right, bottom = batch.targets()[0]["boxes"][0].int().tolist()
    assert (batch.x[0, :, top:bottom, left:right] == 4000).all()
    assert int((batch.x[0] == 4000).sum()) == 4 * (right - left) * (bottom - top)


def test_mirroring_twice_changes_nothing() -> None:
    frame = annotated(5, 40, 60)
    twice = mirror(mirror(frame))
    np.testing.assert_array_equal(twice.boxes, frame.boxes)
    assert (mirror(frame).boxes[:, 2] > mirror(frame).boxes[:, 0]).all()
    assert len(mirror(annotated(0, 40, 60)).boxes) == 0


def test_frames_are_stored_as_large_as_they_are_asked_for(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], ShortSide]] = [
        ({}, 800),
        ({"train_sizes": [480, 512]}, 512),
        ({"train_sizes": [480, 512], "test_size": 800}, 800),
        ({"train_sizes": [480, 512], "stored": "native"}, None),
        ({"train_sizes": [480, 512], "stored": 600, "cache_gb": 1}, 600),
        ({"stored": "native", "cache_gb": 1}, None),
        ({"train_sizes": [64, 32], "test_size": 40, "stored": "sizes"}, ShortSides((32, 40, 64), 1333)),
        ({"stored": "native", "cache_gb": 0.43e-3}, 35),  # of 40: 25 frames of 4 × 35 × 61 samples of two bytes
    ]
    for arguments, side in cases:
        source = Memory()
        DetectionDataModule(source, cache=str(tmp_path), **arguments).prepare_data()
        assert source.prepared == [(tmp_path, side)]


SIDES = [34, 40, 45, 53, 64, 77, 90]


def read(data: DetectionDataModule, epoch: int = 0) -> dict[int, tuple[Tensor, tuple[int, int]]]:
    """The training frames as a detector gets them, by id, and their sizes."""
    loader = data.train_dataloader()
    loader.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[union-attr]
    batches = [data.augmented(batch) for batch in loader]
    return {
        frame.id: (x[:, :height, :width], (height, width))
        for batch in batches
        for x, frame, (height, width) in zip(batch.x, batch.frames, batch.sizes, strict=True)
    }


@pytest.mark.parametrize("stored", ["native", "sizes", 100, None])
def test_of_native_frames_every_pixel_is_resized_once(stored: Any) -> None:
    source = Memory(train=60, test=3, sizes=((101, 150), (130, 103)))
    data = module(source, train_sizes=SIDES, test_size=90, stored=stored, batch_size=7)
    native, once = Memory(train=60, test=3, sizes=source.sizes), []
    for number, (seen, size) in read(data).items():
        whole = native.codes(native.frames("train")[number])
        assert not isinstance(stored, str) or size == target_size(whole.shape[-2], whole.shape[-1], min(size))
        once.append(np.mean(seen.numpy() == resize(whole, size)))
    assert {min(size) for _, size in read(data).values()} == set(SIDES)
    for batch in data.test_dataloader():
        shown = data.on_after_batch_transfer(batch, 0)
        for x, frame, (height, width) in zip(shown.x, shown.frames, shown.sizes, strict=True):
            whole = native.codes(frame)
            assert min(height, width) == 90
            if isinstance(stored, str):
                np.testing.assert_array_equal(x[:, :height, :width].numpy(), resize(whole, (height, width)))
    assert (min(once) == 1) == isinstance(stored, str)


def test_native_frames_have_sizes_by_seed_and_epoch_alone() -> None:
    def sizes(epoch: int = 0, workers: int = 0, stored: str = "native", **changed: Any) -> dict[int, tuple[int, int]]:
        torch.manual_seed(workers)
        data = module(train_sizes=SIDES, test_size=64, stored=stored, num_workers=workers, **changed)
        return {number: size for number, (_, size) in read(data, epoch).items()}

    first = sizes()
    assert sizes(workers=1) == sizes(batch_size=3) == sizes(stored="sizes") == first
    assert sizes(epoch=1) != first != sizes(seed=1)
    assert module(stored="native").statistics["stored_short_side"] is None
    assert module(train_sizes=[40, 32], test_size=64, stored="sizes").statistics["stored_short_side"] == [32, 40, 64]


def test_several_sizes_serve_whatever_asks_for_one(tmp_path: Path) -> None:
    """What samples frames, or shows one, sees the largest size, and a frame of any batch is there again."""
    shapes = ((101, 150), (130, 103))
    data = module(Memory(sizes=shapes), train_sizes=SIDES, test_size=64, stored="sizes")
    alone = module(Memory(sizes=shapes), stored=90)
    assert data.sensor_sample(3000).equal(alone.sensor_sample(3000))
    frame = data.part("test").frames[0]
    assert np.array_equal(data.codes(frame), alone.codes(frame))
    assert data.exposure(frame) == alone.exposure(frame)
    data._decoded_by = object()  # as if batches had been through a converter
    for batch in data.train_dataloader():
        assert data.unconverted(batch).x.equal(arranged(batch, batch.sizes, [False] * len(batch)).x)


class Watch(LightningModule):
    """Notes what arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.sizes: dict[str, list[tuple[int, int]]] = {"train": [], "val": [], "test": []}
        self.first: list[list[int]] = []

    def training_step(self, batch: FrameBatch, batch_idx: int) -> Tensor:
        self.sizes["train"] += batch.sizes
        if batch_idx == 0:
            self.first.append([frame.id for frame in batch.frames])
        return self.weight.sum()

    def validation_step(self, batch: FrameBatch, batch_idx: int) -> None:
        self.sizes["val"] += batch.sizes

    def test_step(self, batch: FrameBatch, batch_idx: int) -> None:
        self.sizes["test"] += batch.sizes

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_trainer_varies_training_sizes_alone_and_moves_the_epoch_on(workers: int, trainer: Trainer) -> None:
    watch = Watch()
    data = DetectionDataModule(
        Memory(), batch_size=4, validation=0.2, train_sizes=[32, 48], test_size=40, num_workers=workers
    )
    trainer.fit(watch, datamodule=data)
    trainer.test(watch, datamodule=data, verbose=False)
    assert {height for height, _ in watch.sizes["train"]} == {32, 48}
    assert set(watch.sizes["val"]) == set(watch.sizes["test"]) == {(40, 70)}
    assert len(watch.sizes["train"]) == 2 * 15
    assert watch.first[0] != watch.first[1]


def test_an_example_is_what_the_sensor_gets() -> None:
    data = module(test_size=32)
    example = data.example()
    assert example.shape == (1, 4, 32, 64)
    assert example.dtype == torch.int32
    assert int(example[0, 0, 0, 0]) == 20


def test_a_sample_for_histograms_is_in_the_sensors_range() -> None:
    sample = module().training_sample(1000)
    assert sample.shape == (1000, 4)
    assert sample.dtype == np.float32
    assert sample.min() >= 0
    assert sample.max() == 1
    assert len(module().training_sample(10**6)) == 20 * 40 * 70


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"batch_size": 0}, ("batch_size=0", 1)),
        ({"num_workers": -1}, ("num_workers=-1", 0)),
        ({"seed": -1}, ("seed=-1", 0)),
        ({"validation": 1.0}, ("validation=1.0", "[0, 1)")),
        ({"fold": 1}, ("fold=1", "Memory", "fold=0")),
        ({"train_sizes": []}, ("train_sizes=[]", "null")),
        ({"train_sizes": [16, 64]}, ("train_sizes=[16, 64]", 16, "32 … longest", "longest=1333")),
        ({"test_size": 1400}, ("test_size=1400", "32 … longest", "longest=1333")),
        ({"test_size": 64, "stored": 63}, ("stored=63", "native", "null", 64)),
        ({"stored": 31}, ("stored=31", "native", "null", 32)),
        ({"stored": "half"}, ("stored='half'", "native", "sizes", "null", 32)),
        ({"stored": "sizes", "test_size": 64}, ("stored=sizes", "state data.train_sizes")),
        ({"cache_gb": 0}, ("cache_gb=0", "null")),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], named: tuple[object, ...]) -> None:
    with refused(ValueError, *named):
        DetectionDataModule(Memory(), **arguments)


def test_an_empty_part_is_refused_and_setup_comes_first() -> None:
    with refused(DataError, "Memory", "test"):
        DetectionDataModule(Memory(test=0)).setup()
    with refused(RuntimeError, "setup()"):
        DetectionDataModule(Memory()).test_dataloader()


FRAMES = {
    name: OmegaConf.to_container(said.data)
    for name, said in stated_by_options("data").items()
    if said.data._target_.endswith("DetectionDataModule")
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_argument_is_spelled_out(composed: Callable[..., DictConfig], name: str) -> None:
    data: Any = FRAMES[name]
    assert (config_folder() / "data" / f"{name}.yaml").read_text().startswith("# @package _global_\n")
    for node, supplied in ((data, {"fold", "seed"}), (data["dataset"], set())):
        known = signatures.arguments(node["_target_"])
        assert known is not None
        assert set(node) - {"_target_"} == set(known) - supplied
        assert all(known[key].accepts(value) for key, value in node.items() if key != "_target_")
    params = composed("task=detection", f"data={name}").hydra.sweeper.params
    assert dict(params) == {"seed": "0,1,2", "fold": "range(1)"}


def test_real_data_sets_are_configured() -> None:
    assert set(FRAMES) >= {"pascal_raw", "raod"}


def test_a_sample_for_the_quantizer_holds_native_codes_of_training_frames() -> None:
    data = module()
    codes = data.sensor_sample(1000)
    assert codes.shape == (1000, 4)
    assert codes.dtype == torch.int64
    span = data.signal.top - data.signal.black
    shares = ((codes - data.signal.black).double() / span).clamp(0, 1).float()
    assert torch.equal(shares, torch.from_numpy(data.training_sample(1000)))
    assert torch.equal(codes, module().sensor_sample(1000))
