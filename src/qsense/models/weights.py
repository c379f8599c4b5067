"""Load published weights into a network, or say in one table why they do not fit.

Open it when published weights do not load.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ROWS = 20  # of the table; more hide the rest of the message
_left = ContextVar("_left", default=False)


@contextmanager
def left_to_checkpoint() -> Iterator[None]:
    """Within it `load_weights` reads and fetches nothing: a run's checkpoint fills the network afterwards."""
    before = _left.set(True)
    try:
        yield
    finally:
        _left.reset(before)


def load_weights(
    network: nn.Module, source: str | None, argument: str = "weights", ignore: tuple[str, ...] = ()
) -> None:
    """Fill a network with the weights of a file or an address, all of them.

    The state dict may lie under `state_dict`, `model` or `network`, and its keys may share a prefix (`module.`,
    `network.`, …). Missing counters of batch norm (`num_batches_tracked`) are left at 0: old files lack them. Nothing
    in the file is run (`weights_only=True`). A fetched file named like `resnet18-f37072fd.pth` must have that SHA-256.

    Args:
        network: the network to fill, in place.
        source: file, http(s) address (kept in torch.hub's folder), or None to leave the network as it is.
        argument: what messages call `source`.
        ignore: beginnings of names that the file may hold beside the network's own, such as a classifier's "fc.".

    Raises:
        FileNotFoundError: there is no such file, or nothing at this address.
        ValueError: it cannot be read, holds no state dict, or keys or shapes differ; one table names them all.
    """
    if source is None or _left.get():
        return
    given = read_state(source, argument)
    own = network.state_dict()
    prefix = _prefix(given, own)
    found = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
    found = {key: value for key, value in found.items() if key in own or not key.startswith(ignore)}
    rows = []
    for key in sorted(own.keys() | found.keys(), key=lambda key: (not (key in own and key in found), key)):
        ours, theirs = _shape(own.get(key)), _shape(found.get(key))
        if ours != theirs and not (theirs is None and key.endswith("num_batches_tracked")):
            rows.append(f"  {key:<40} {ours or '–':<20} {theirs or 'missing'}")
    if rows:
        more = [f"  … and {len(rows) - ROWS} more"] if len(rows) > ROWS else []
        head = f"  {'key':<40} {type(network).__name__:<20} the file"
        after = f" (without their prefix {prefix!r})" if prefix else ""
        raise ValueError(
            "\n".join(
                [
                    f"{source} does not fit {type(network).__name__}: {len(rows)} of {len(own.keys() | found.keys())} "
                    f"entries differ{after}; – is unknown to the network",
                    head,
                    *rows[:ROWS],
                    *more,
                ]
            )
        )
    network.load_state_dict(found, strict=False)


def read_state(source: str, argument: str = "weights") -> dict[str, Tensor]:
    """The tensors of a file or an address by name; nothing in it is run.

    Args:
        source: file or http(s) address.
        argument: what messages call it.

    Raises:
        FileNotFoundError: there is no such file, or nothing at this address.
        ValueError: it cannot be read, or holds no state dict.
    """
    return _state(_read(source, argument), source)


def _read(source: str, argument: str) -> Any:
    if source.startswith(("http://", "https://")):
        try:
            return torch.hub.load_state_dict_from_url(source, map_location="cpu", check_hash=True, weights_only=True)
        except OSError as error:
            raise FileNotFoundError(
                f"{source} could not be fetched ({error}): fetch it by hand, give the file"
            ) from error
    file = Path(source).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"{argument}={source}: there is no such file; give a file, an address, or null")
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{source} cannot be read as weights alone: {reason}") from error


def _state(content: Any, source: str) -> dict[str, Tensor]:
    for key in ("state_dict", "model", "network"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    tensors = {k: v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, Mapping) else {}
    if not tensors:
        raise ValueError(f"{source} holds no state dict: a mapping from names to tensors is expected")
    return tensors


def _prefix(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """What stands before the network's own names in most of the given ones."""
    first = next(iter(own))
    candidates = ["", *(key.removesuffix(first) for key in given if key.endswith(f".{first}"))]
    return max(candidates, key=lambda prefix: sum(f"{prefix}{key}" in given for key in own))


def _shape(tensor: Tensor | None) -> str | None:
    return None if tensor is None else str(tuple(tensor.shape))
