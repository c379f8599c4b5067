"""Shared by tests of exported files."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def operators_listed_once() -> Iterator[None]:
    """`torch.onnx.export` lists onnxscript's operators anew each time, from their source: half of a small export."""
    if importlib.util.find_spec("onnxscript") is None:
        yield
        return
    apis = importlib.import_module("torch.onnx._internal._lazy_import").onnxscript_apis
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apis, "get_torchlib_ops", functools.cache(apis.get_torchlib_ops))
        yield
