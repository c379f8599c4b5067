"""qsense: sensors that digitise only what the task needs.

What the library offers, one import away. A name is loaded when it is first used: `import qsense` itself takes
milliseconds.

>>> import qsense
>>> signal = qsense.Signal(channels=3, low=-1.0, high=1.0, unit="g")
>>> qsense.Gamma(signal, bits=2, gamma=0.4).thresholds()
tensor([[-0.3619,  0.0000,  0.3619]], dtype=torch.float64)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qsense.data.errors import DataError as DataError
    from qsense.experiment.errors import ConfigError as ConfigError
    from qsense.experiment.load import TrainedRun as TrainedRun
    from qsense.experiment.load import load as load
    from qsense.quant.network.quantizer import NetworkQuantizer as NetworkQuantizer
    from qsense.quant.network.quantizer import quantize_network as quantize_network
    from qsense.quant.sensor.base import SensorQuantizer as SensorQuantizer
    from qsense.quant.sensor.gamma import Gamma as Gamma
    from qsense.quant.sensor.gamma_norm import GammaNorm as GammaNorm
    from qsense.quant.sensor.gamma_per_condition import GammaPerCondition as GammaPerCondition
    from qsense.quant.sensor.identity import Identity as Identity
    from qsense.quant.sensor.linear import Linear as Linear
    from qsense.quant.sensor.lloyd_max import LloydMax as LloydMax
    from qsense.quant.sensor.log import Log as Log
    from qsense.quant.sensor.log_eps import LogEps as LogEps
    from qsense.quant.sensor.log_gamma import LogGamma as LogGamma
    from qsense.quant.sensor.memory.adpcm import ADPCM as ADPCM
    from qsense.quant.sensor.memory.base import MemoryConverter as MemoryConverter
    from qsense.quant.sensor.memory.dpcm import DPCM as DPCM
    from qsense.quant.sensor.memory.mipi import MipiDPCM as MipiDPCM
    from qsense.quant.sensor.memory.pisp import PiSP as PiSP
    from qsense.quant.sensor.memory.row_dpcm import RowDPCM as RowDPCM
    from qsense.quant.sensor.memory.whole import WholeConverter as WholeConverter
    from qsense.quant.sensor.mulaw import MuLaw as MuLaw
    from qsense.quant.sensor.pwl import PiecewiseLinear as PiecewiseLinear
    from qsense.quant.sensor.quantile import Quantile as Quantile
    from qsense.quant.sensor.range import Range as Range
    from qsense.quant.sensor.sensor import Sensor as Sensor
    from qsense.quant.sensor.soft_tanh import SoftTanh as SoftTanh
    from qsense.quant.sensor.thresholds import Thresholds as Thresholds
    from qsense.signal import Signal as Signal
    from qsense.train import train_here

    train = train_here

__version__ = "0.2.0"

# The same once more for Python itself: where each name comes from. `train` is a module that can be called.
_HOMES = {
    "DataError": "data.errors",
    "ConfigError": "experiment.errors",
    "TrainedRun": "experiment.load",
    "load": "experiment.load",
    "NetworkQuantizer": "quant.network.quantizer",
    "quantize_network": "quant.network.quantizer",
    "SensorQuantizer": "quant.sensor.base",
    "Gamma": "quant.sensor.gamma",
    "GammaNorm": "quant.sensor.gamma_norm",
    "GammaPerCondition": "quant.sensor.gamma_per_condition",
    "Identity": "quant.sensor.identity",
    "Linear": "quant.sensor.linear",
    "LloydMax": "quant.sensor.lloyd_max",
    "Log": "quant.sensor.log",
    "LogEps": "quant.sensor.log_eps",
    "LogGamma": "quant.sensor.log_gamma",
    "ADPCM": "quant.sensor.memory.adpcm",
    "MemoryConverter": "quant.sensor.memory.base",
    "DPCM": "quant.sensor.memory.dpcm",
    "MipiDPCM": "quant.sensor.memory.mipi",
    "PiSP": "quant.sensor.memory.pisp",
    "RowDPCM": "quant.sensor.memory.row_dpcm",
    "WholeConverter": "quant.sensor.memory.whole",
    "MuLaw": "quant.sensor.mulaw",
    "PiecewiseLinear": "quant.sensor.pwl",
    "Quantile": "quant.sensor.quantile",
    "Range": "quant.sensor.range",
    "Sensor": "quant.sensor.sensor",
    "SoftTanh": "quant.sensor.soft_tanh",
    "Thresholds": "quant.sensor.thresholds",
    "Signal": "signal",
    "train": "",
}
__all__ = ["__version__", *_HOMES]


if not TYPE_CHECKING:  # which would take any name for one of these

    def __getattr__(name: str) -> Any:
        """Load a name at its first use."""
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = _HOMES[name]
        value = getattr(import_module(f"{__name__}.{home}"), name) if home else import_module(f"{__name__}.{name}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
