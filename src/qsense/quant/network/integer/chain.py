"""Which layers a window passes, in order, for a network that is to be computed in integers.

Open it to see which networks that are, or to allow another kind of layer.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from torch import nn

# One letter for each kind of layer; dropout and flattening do nothing to codes in evaluation.
KINDS: dict[type[nn.Module], str] = {
    nn.Conv1d: "c",
    nn.Conv2d: "c",
    nn.ReLU: "r",
    nn.LSTM: "l",
    nn.AvgPool1d: "p",
    nn.Linear: "o",
    nn.Dropout: "",
    nn.Flatten: "",
}
ORDER = re.compile("(cr?)+(l|p)o")  # of the letters; an LSTM may have several layers


@dataclass(frozen=True)
class Stage:
    """One layer of the chain; a ReLU belongs to the convolution before it.

    Args:
        name: of the layer in the network.
        module: a convolution, an LSTM, a pool, dropout, or the classifier.
        relu: whether a convolution's output is cut off at 0.
        coder: the layer whose input quantizer codes a convolution's output.
    """

    name: str
    module: nn.Module
    relu: bool = False
    coder: nn.Module | None = None


def stages(network: nn.Module) -> list[Stage]:
    """A network's layers in order, as `network.chain()` lists them.

    Raises:
        ValueError: the network has no chain, or one that integers do not cover.
    """
    name = type(network).__name__
    if not callable(getattr(network, "chain", None)):
        raise ValueError(
            f"arithmetic=integer: {name} has no chain() of convolutions along time, an LSTM or a pool, and a "
            "classifier; such networks leave as ONNX, from arithmetic=float"
        )
    modules: list[nn.Module] = network.chain()  # type: ignore[operator]
    names = {module: name for name, module in network.named_modules()}
    letters = ""
    for module in modules:
        kind = next((letter for kind, letter in KINDS.items() if isinstance(module, kind)), None)
        if kind is None:
            raise ValueError(f"arithmetic=integer: {name} has a {type(module).__name__}, which integers do not cover")
        if reason := _refusal(module):
            raise ValueError(f"arithmetic=integer: layer {names[module]} of {name} {reason}")
        letters += kind
    if not ORDER.fullmatch(letters):
        raise ValueError(
            f"arithmetic=integer: {name}'s chain must be convolutions with a ReLU or without, then an LSTM or a pool, "
            "then one linear layer"
        )
    if "p" in letters and any(isinstance(module, nn.Conv2d) for module in modules):
        raise ValueError(f"arithmetic=integer: {name} must end its planes (Conv2d) in an LSTM, not in a pool")
    multiplying = [module for module in modules if isinstance(module, nn.Conv1d | nn.Conv2d | nn.LSTM | nn.Linear)]
    following = dict(itertools.pairwise(multiplying))
    listed = []
    for module, after in zip(modules, [*modules[1:], None], strict=True):
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            listed.append(Stage(names[module], module, isinstance(after, nn.ReLU), following[module]))
        elif not isinstance(module, nn.ReLU | nn.Flatten):
            listed.append(Stage(names[module], module))
    return listed


def positions_of(pool: nn.AvgPool1d) -> int:
    """How many positions of a window a pool takes the mean of."""
    size = pool.kernel_size
    return size if isinstance(size, int) else size[0]


def _refusal(module: nn.Module) -> str | None:
    match module:
        case nn.Conv1d() | nn.Conv2d():
            if any(each != 0 for each in module.padding) or any(each != 1 for each in module.stride):
                return "must be neither padded nor strided"
            if isinstance(module, nn.Conv2d) and (module.kernel_size[1] != 1 or module.groups != 1):
                return "must reach along time alone: kernel (k, 1), groups=1"
        case nn.LSTM():
            if module.bidirectional or module.proj_size or not module.batch_first:
                return "must have batch_first=True, one direction and no projection"
            if module.dropout and module.num_layers > 1:
                return "must have no dropout between its layers"
    return None


def of_states(listed: list[Stage]) -> list[Stage]:
    """The layers that take an LSTM's states as they are, so that nothing codes their input: the classifier."""
    return listed[-1:] if any(isinstance(stage.module, nn.LSTM) for stage in listed) else []
