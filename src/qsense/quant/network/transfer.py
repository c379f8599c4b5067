"""Weights from one network into another quantized differently: full precision → 5 → 4 → 3 bits (FAT).

Open it to see which tensors `init_from` takes over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Transfer:
    """What `load_weights` did with each tensor.

    Args:
        loaded: names, as in the network, that were taken over.
        kept: names in the network that the state lacks: they keep their initial values.
        left_out: names in the state for which the network has no place.
        mismatched: name, shape in the network, shape in the state: not taken over.
    """

    loaded: list[str]
    kept: list[str]
    left_out: list[str]
    mismatched: list[tuple[str, list[int], list[int]]]

    def __str__(self) -> str:
        rows = [(name, "kept as built", "not in the state") for name in self.kept]
        rows += [(name, "left out", "not in the network") for name in self.left_out]
        rows += [(name, "kept as built", f"network {ours}, state {theirs}") for name, ours, theirs in self.mismatched]
        width = max((len(name) for name, _, _ in rows), default=0)
        lines = [f"  {name:<{width}}  {what:<13}  {why}" for name, what, why in rows]
        return "\n".join([f"{len(self.loaded)} tensors loaded", *lines])


def plain_name(name: str) -> str:
    """A tensor's name as in the unquantized network.

    >>> plain_name("fc.parametrizations.weight.original"), plain_name("bn.bias")
    ('fc.weight', 'bn.bias')
    """
    parts = name.split(".")
    if len(parts) >= 3 and parts[-3] == "parametrizations" and parts[-1] == "original":
        return ".".join([*parts[:-3], parts[-2]])
    return name


def load_weights(network: nn.Module, state: Mapping[str, Tensor], prefix: str = "") -> Transfer:
    """Load a state of the same architecture, whatever quantizes it there and here.

    A plain `layer.weight` and a parametrized `layer.parametrizations.weight.original` are the same tensor. Clipping
    ranges, their signs and FAT's mixing matrices are taken over where both sides have them (they do not depend on the
    number of bits), dropped where the network has none, and left as built where the state has none: activations are
    then calibrated on the first batch. Tensors of another shape (a classifier for other classes) stay as built.

    Args:
        network: plain or quantized.
        state: its `state_dict()` from another run.
        prefix: what the state's names start with; others are ignored ("network." in a task's checkpoint).

    Returns:
        What was loaded, and what was not; print it.

    Raises:
        ValueError: not one tensor fits.
    """
    current = network.state_dict()
    targets = {plain_name(name): name for name in current}
    given = {plain_name(name.removeprefix(prefix)): tensor for name, tensor in state.items() if name.startswith(prefix)}
    loaded, mismatched, left_out = [], [], []
    for name, tensor in given.items():
        target = targets.get(name)
        if target is None:
            left_out.append(name)
        elif current[target].shape != tensor.shape:
            mismatched.append((target, list(current[target].shape), list(tensor.shape)))
        else:
            current[target] = tensor
            loaded.append(target)
    if not loaded:
        names = ", ".join(list(state)[:3]) or "none"
        raise ValueError(f"no tensor fits the network (prefix={prefix!r}); the state's first names: {names}")
    network.load_state_dict(current)
    return Transfer(loaded, [target for name, target in targets.items() if name not in given], left_out, mismatched)
