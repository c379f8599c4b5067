"""What a newcomer writes: a class of one method and three lines of YAML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from qsense.experiment import signatures
from qsense.experiment.build import build
from qsense.experiment.checks import check
from qsense.experiment.errors import ConfigError
from qsense.quant.sensor.base import SensorQuantizer

CODE = """
from torch import Tensor

from qsense.quant.sensor.base import SensorQuantizer


class Cubic(SensorQuantizer):
    def curve(self, u: Tensor) -> Tensor:
        return u**3
"""
YAML = """\
_target_: cubic_adc.Cubic
bits: ${bits}
rounding: ${rounding}
"""


@pytest.fixture
def quant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The overrides that choose it."""
    (tmp_path / "cubic_adc.py").write_text(CODE)
    (tmp_path / "conf" / "quant" / "sensor").mkdir(parents=True)
    (tmp_path / "conf" / "quant" / "sensor" / "cubic.yaml").write_text(YAML)
    monkeypatch.syspath_prepend(str(tmp_path))
    signatures._find.cache_clear()
    return [f"hydra.searchpath=[file://{tmp_path}/conf]", "quant/sensor=cubic"]


def test_a_curve_and_three_lines_make_a_quantizer(quant: list[str], composed: Callable[..., DictConfig]) -> None:
    config = composed(*quant, "bits=3", "rounding=floor")
    check(config)
    _, task = build(config)
    sensor = task.sensor
    assert isinstance(sensor, SensorQuantizer)
    assert (type(sensor).__name__, sensor.bits, sensor.rounding) == ("Cubic", 3, "floor")
    x = torch.linspace(-1, 1, 999)[:, None].expand(-1, sensor.signal.channels) * sensor.scale + sensor.offset
    v = 7 * (sensor.to_unit(x.double()) ** 3 + 1) / 2
    clear = (v - v.round()).abs() > 1e-6
    assert torch.equal(sensor.encode(x)[clear], v.floor().int()[clear])
    assert torch.equal(sensor(x), sensor.decode(sensor.encode(x)))


def test_a_wrong_argument_is_answered_with_the_right_names(
    quant: list[str], composed: Callable[..., DictConfig]
) -> None:
    with pytest.raises(ConfigError) as error:
        check(composed(*quant, "+quant.sensor.per_chanel=true"))
    for part in ("quant.sensor.per_chanel", "rounding", "surrogate", "output", "per_channel", "lr"):
        assert part in str(error.value)
    with pytest.raises(ConfigError) as error:
        check(composed(*quant, "+quant.sensor.output=codes"))
    for part in ("quant.sensor.output", "'codes'", "'level'", "'code'"):
        assert part in str(error.value)
