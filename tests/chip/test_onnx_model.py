"""Quantizer and network as ONNX, run by onnxruntime beside PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.chip.converters import ACCELEROMETER, RAW, STATISTICS, Half, apart, converters
from tests.refusal import assert_names
from torch import Tensor, nn

from qsense.chip import network_conformance, onnx_model
from qsense.chip.conformance import session
from qsense.chip.converter import convert
from qsense.chip.network_conformance import check_network, wide
from qsense.chip.onnx_model import Comparators
from qsense.models.deepconvlstm import DeepConvLSTM
from qsense.models.detector import Detector, Sizes
from qsense.quant.network.freeze import freeze
from qsense.quant.network.quantizer import NetworkQuantizer
from qsense.quant.sensor.base import SensorQuantizer
from qsense.quant.sensor.gamma import Gamma
from qsense.quant.sensor.gamma_per_condition import GammaPerCondition
from qsense.quant.sensor.identity import Identity
from qsense.quant.sensor.search import round_up
from qsense.signal import Signal
from qsense.tasks.base import Task
from qsense.tasks.classification import ClassificationTask
from qsense.tasks.detection import DetectionTask
from qsense.tasks.har import HARTask

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

EVERY = converters()


def in_file(content: bytes, folder: Path) -> Path:
    file = folder / "model.onnx"
    file.write_bytes(content)
    return file


def test_comparators_are_the_quantizer_in_every_layout() -> None:
    image = torch.rand(2, 4, 5, 6)
    sensor = apart(Gamma(Signal(4, 0.0, 1.0, "V"), 4, gamma=0.5, per_channel=True))
    code, value = Comparators(round_up(sensor.thresholds()), sensor.decode(torch.arange(16)), 1)(image)
    assert torch.equal(code, sensor.encode(image))
    assert torch.equal(value, sensor(image))
    series = torch.rand(2, 9, 3) * 2 - 1
    sensor = apart(Gamma(ACCELEROMETER, 2, per_channel=True))
    code, value = Comparators(round_up(sensor.thresholds()), sensor.decode(torch.arange(4)), -1)(series)
    assert torch.equal(code, sensor.encode(series))
    assert torch.equal(value, sensor(series))
    signal = Signal(4, 0.0, 1.0, "V", conditions=("day", "night"))
    sensor = apart(GammaPerCondition(signal, 3))
    code, value = Comparators(round_up(sensor.thresholds()), sensor.decode(torch.arange(8)))(
        image, torch.tensor([1, 0])
    )
    assert torch.equal(code, sensor.encode(image, [1, 0]))
    assert torch.equal(value, sensor(image, [1, 0]))


@pytest.mark.parametrize("name", ["gamma per axis, values", "gamma per condition, raw"])
def test_the_quantizer_alone(name: str, tmp_path: Path) -> None:
    sensor, converter = EVERY[name]
    rows = len(converter.rows)
    every = np.arange(converter.native.codes)[:, None].repeat(rows, axis=1)
    content = onnx_model.sensor_by_counts(converter)
    codes, values = session(in_file(content, tmp_path))(every)
    assert np.array_equal(codes, converter.lut().T)
    assert np.array_equal(values, sensor.decode(torch.from_numpy(converter.lut().T)).numpy())
    assert content == onnx_model.sensor_by_counts(converter)  # the same bytes
    assert str(Path(__file__).parents[2]).encode() not in content  # and not where they were made
    edges = round_up(torch.from_numpy(converter.seen)).numpy().T
    edges = np.concatenate([edges, np.nextafter(edges, np.float32(-np.inf))])
    codes = session(in_file(onnx_model.sensor_by_values(converter), tmp_path))(edges)[0]
    assert np.array_equal(codes, (edges.astype(np.float64)[..., None] >= converter.seen).sum(-1))


def test_native_counts_of_eight_bits_and_a_threshold_that_none_reaches(tmp_path: Path) -> None:
    """256 is no uint8: there it would be 0, which every sample reaches."""
    signal = Signal(3, 0.0, 1.0, "full scale", native_bits=8)
    sensor = Half(signal, 2)
    x = torch.arange(192, dtype=torch.uint8).view(1, 3, 8, 8) + 64
    assert convert(sensor, "x", {}).counts.max() == 256
    task = ClassificationTask(nn.Flatten(), sensor, tuple("abc"), (0.5,) * 3, (0.25,) * 3).eval()
    converter = convert(sensor, "x", {})
    codes = session(in_file(onnx_model.network(task, converter, x), tmp_path))(x.numpy())[0]
    assert np.array_equal(codes, sensor.encode(x).numpy())
    assert codes.max() == 2


def test_integers_of_a_sensor_without_native_codes_are_values() -> None:
    sensor = Gamma(Signal(1, 0.0, 10.0, "counts"), 2)
    task = ClassificationTask(nn.Flatten(), sensor, tuple("abc"), (0.5,), (0.25,))
    x = torch.arange(11).view(1, 1, 1, 11)
    code, _ = onnx_model.comparators(task, convert(sensor, "x", {}), x)(x)
    assert torch.equal(code, sensor.encode(x))


class Data:
    """One batch of test data."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def test_dataloader(self) -> list[Any]:
        return [self.batch]

    def on_after_batch_transfer(self, batch: Any, index: int) -> Any:
        return batch

    def example(self) -> Any:
        return self.batch.x[:1]


class Batch:
    """Samples, their conditions, and the camera's white balance."""

    def __init__(
        self, x: Tensor, condition: list[int] | None = None, gains: list[tuple[float, float, float]] | None = None
    ) -> None:
        self.x, self.condition, self.gains = x, condition, gains


def agree(task: Task, batch: Batch, statistics: dict[str, Any], folder: Path) -> list[str]:
    task.eval()
    converter = convert(task.sensor, "x", statistics) if isinstance(task.sensor, SensorQuantizer) else None
    content = onnx_model.network(task, converter, batch.x[:1])
    checks = check_network(in_file(content, folder), task, Data(batch))  # type: ignore[arg-type]
    assert all(check.passed for check in checks), checks
    return [str(check) for check in checks]


def test_an_lstm_behind_one_converter_per_axis(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = DeepConvLSTM(channels=3, window=50, num_classes=5, filters=4, hidden=8)
    sensor = apart(Gamma(ACCELEROMETER, 2, per_channel=True))
    task = standardised(HARTask(network, sensor, tuple("abcde"), standardise=True))
    said = agree(task, Batch(torch.rand(7, 50, 3) * 2 - 1), STATISTICS, tmp_path)
    assert said[0] == "ONNX, codes of a test batch: passed: 1,050 codes, 0 differences"
    assert said[1].startswith("ONNX, logits of a test batch: passed: 7 test examples, largest difference ")


def standardised(task: Task) -> Task:
    """With a map of its own for each channel."""
    channels = task.sensor.signal.channels
    assert task.standardise is not None
    task.standardise.fit(torch.randn(100, channels) * torch.arange(1, channels + 1) + 0.3)
    return task


def frozen(sensor: Any, channels: int, standardise: bool = False) -> ClassificationTask:
    torch.manual_seed(0)
    layers = [nn.Conv2d(channels, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU()]
    network = nn.Sequential(
        *layers, nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)
    )
    quantizer = NetworkQuantizer(bits=4, transform="fat", input_bits=8)
    quantizer.apply(network)
    facts = (tuple("abc"), (0.5,) * channels, (0.25,) * channels)
    task = ClassificationTask(network, sensor, *facts, quantizer, standardise)
    if standardise:
        standardised(task)
    task.train()(torch.rand(16, channels, 12, 12))
    task.eval()
    freeze(task.network)
    return task


@pytest.mark.slow
def test_a_frozen_network_with_and_without_a_quantized_sensor(tmp_path: Path) -> None:
    x = torch.rand(8, 3, 12, 12)
    signal = Signal(3, 0.0, 1.0, "full scale")
    for sensor in (Gamma(signal, 4, gamma=0.5), Identity(signal)):
        said = agree(frozen(sensor, 3, standardise=bool(sensor.bits)), Batch(x), {}, tmp_path)
        assert len(said) == (3 if sensor.bits else 2)
        assert_names(said[-2], "float64", "passed", "4 test examples")
        assert_names(said[-1], "float32", "passed", "8 of 8", "1.0e-05", 6)


@pytest.fixture(scope="module")
def exported() -> tuple[ClassificationTask, bytes]:
    """A frozen network behind a sensor that is not quantized, and its file."""
    task = frozen(Identity(Signal(3, 0.0, 1.0, "full scale")), 3)
    return task, onnx_model.network(task, None, torch.rand(1, 3, 12, 12))


def test_a_damaged_network_is_found(exported: tuple[ClassificationTask, bytes], tmp_path: Path) -> None:
    """In float64 too, where the file's own numbers are what is evaluated."""
    import onnx
    from onnx import numpy_helper

    task, content = exported
    x = torch.rand(4, 3, 12, 12)
    file = in_file(content, tmp_path)
    model = onnx.load(file)
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    array = numpy_helper.to_array(weight) * np.float32(1.001)
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    onnx.save(model, file)
    assert wide(file)(x.numpy())[0].dtype == np.float64
    check, _ = check_network(file, task, Data(Batch(x)))  # type: ignore[arg-type]
    assert check.passed is False


def test_a_network_that_only_float32_gets_wrong_is_found(
    exported: tuple[ClassificationTask, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All examples of a runtime that is off, where PyTorch agrees with itself."""
    task, content = exported
    x = torch.rand(16, 3, 12, 12)
    file = in_file(content, tmp_path)
    monkeypatch.setattr(
        network_conformance,
        "session",
        lambda file: lambda *fed: [np.add(y, 1e-3, dtype=np.float32) for y in session(file)(*fed)],
    )
    in_double, in_single = check_network(file, task, Data(Batch(x)))  # type: ignore[arg-type]
    assert in_double.passed
    assert in_single.passed is False
    assert_names(str(in_single), "float32", "FAILED", "0 of 16", "1.0e-05")


class Boxes(Detector):
    """A detector's backbone and nothing to find."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Pyramid()

    def losses(self, images: Tensor, sizes: Sizes, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return {}

    def predict(self, images: Tensor, sizes: Sizes) -> list[dict[str, Tensor]]:
        return []


class Pyramid(nn.Module):
    """Two feature maps."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, stride=2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        fine = self.fine(x)
        return {"fine": fine, "coarse": self.coarse(fine)}


@pytest.mark.parametrize("per", ["colour", "condition"])
def test_a_detectors_backbone_on_native_codes(per: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, 4096, (3, 4, 12, 10), dtype=torch.int32)
    if per == "colour":
        sensor = apart(Gamma(RAW, 4, gamma=0.5, per_channel=True))
    else:
        raw = Signal(4, 0.0, 1.0, "full scale", native_bits=12, bayer="RGGB", conditions=("day", "night"))
        sensor = apart(GammaPerCondition(raw, 4, gamma=0.5))
    task = DetectionTask(Boxes(), sensor, ("car",), (0.5,) * 3, (0.25,) * 3, standardise=per == "condition")
    said = agree(standardised(task) if task.standardise else task, Batch(x, [1, 0, 1]), {}, tmp_path)
    assert said[0] == "ONNX, codes of a test batch: passed: 1,440 codes, 0 differences"
    assert said[1].startswith("ONNX, features of a test batch: passed: 3 test examples")


def test_a_batch_of_other_frame_sizes_than_the_example(tmp_path: Path) -> None:
    """The exported network takes frames of one size; a test batch is padded to that of its largest frame."""
    torch.manual_seed(0)
    sensor = Gamma(RAW, 4, gamma=0.5)
    task = DetectionTask(Boxes(), sensor, ("car",), (0.5,) * 3, (0.25,) * 3).eval()
    example = torch.randint(0, 4096, (1, 4, 12, 10), dtype=torch.int32)
    file = in_file(onnx_model.network(task, convert(sensor, "x", {}), example), tmp_path)
    data = Data(Batch(torch.randint(0, 4096, (3, 4, 10, 14), dtype=torch.int32)))
    data.example = lambda: example  # type: ignore[method-assign]
    codes, features = check_network(file, task, data)  # type: ignore[arg-type]
    assert codes.passed
    assert features.passed
    assert_names(str(codes), "1,440")


@pytest.mark.parametrize(
    ("chosen", "per"),
    [
        *(("camera", "image"), ("camera", "condition"), ("learned", "condition"), ([2.0, 1.0, 1.5], "image")),
        pytest.param("learned", "image", marks=pytest.mark.slow),
        pytest.param([2.0, 1.0, 1.5], "condition", marks=pytest.mark.slow),
    ],
)
def test_a_detectors_backbone_behind_white_balance(chosen: Any, per: str, tmp_path: Path) -> None:
    """Each frame's own gains are an input of the model; others are in it."""
    torch.manual_seed(0)
    x = torch.randint(0, 4096, (3, 4, 12, 10), dtype=torch.int32)
    raw = Signal(4, 0.0, 1.0, "full scale", native_bits=12, black=64, bayer="RGGB", conditions=("day", "night"))
    sensor = apart(GammaPerCondition(raw, 4, gamma=0.5)) if per == "condition" else Gamma(raw, 4, gamma=0.5)
    task = DetectionTask(Boxes(), sensor, ("car",), (0.5,) * 3, (0.25,) * 3, white_balance=chosen)
    if chosen == "learned":
        assert task.white_balance is not None
        torch.nn.init.uniform_(task.white_balance.log_gain)
    batch = Batch(x, [1, 0, 1], [(2.0, 1.0, 1.5), (1.5, 1.0, 3.0), (1.0, 1.0, 1.0)])
    said = agree(task, batch, {}, tmp_path)
    assert said[0] == "ONNX, codes of a test batch: passed: 1,440 codes, 0 differences"
    assert said[1].startswith("ONNX, features of a test batch: passed: 3 test examples")
    inputs = [each.name for each in onnxruntime.InferenceSession(tmp_path / "model.onnx").get_inputs()]
    assert inputs == ["x", *["condition"] * (per == "condition"), *["gains"] * (chosen == "camera")]


def test_a_detectors_backbone_behind_a_sensor_that_is_not_quantized(tmp_path: Path) -> None:
    """Native codes become the values that they stand for."""
    torch.manual_seed(0)
    x = torch.randint(0, 4096, (3, 4, 12, 10), dtype=torch.int32)
    task = DetectionTask(Boxes(), Identity(RAW), ("car",), (0.5,) * 3, (0.25,) * 3)
    (said,) = agree(task, Batch(x, [0, 0, 0]), {}, tmp_path)
    assert said.startswith("ONNX, features of a test batch: passed: 3 test examples")
