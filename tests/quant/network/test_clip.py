from __future__ import annotations

import logging
import math
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from tests.refusal import missing
from torch import Tensor

from qsense.quant.compiled import cached_file, load
from qsense.quant.network import clip
from qsense.quant.network.activations import ActivationQuantizer
from qsense.quant.network.levels import Levels, Logarithmic, Uniform
from qsense.quant.network.quantizer import NetworkQuantizer

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
LARGE = clip.SMALLEST + 4096 * 3 + 17  # neither whole blocks nor whole lanes


@pytest.fixture
def anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Compile within this test, into an empty cache of its own."""
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "extensions"))
    clip.library.cache_clear()
    yield tmp_path / "extensions"
    clip.library.cache_clear()


def values(signed: bool, shape: tuple[int, ...] = (LARGE,)) -> Tensor:
    torch.manual_seed(0)
    x = torch.randn(shape) * 1.5
    return x if signed else x.relu()


def quantize(levels: Levels, x: Tensor, alpha: Tensor) -> Tensor:
    unit = levels.unit(alpha)
    return levels.quantize(x, unit, unit.reciprocal())


@needs_compiler
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_values_are_those_of_aten_bit_for_bit(bits: int, signed: bool) -> None:
    levels = Uniform(bits, signed)
    x = values(signed=True)
    unit = levels.unit(torch.tensor(1.3))
    x[: 2 * levels.top + 1] = (torch.arange(2 * levels.top + 1) + 0.5 - levels.top) * unit  # ties
    x[-3:] = torch.tensor([math.inf, -math.inf, 0.0])
    assert clip.fits(x, unit)
    quantized = levels.quantize(x, unit, unit.reciprocal())
    assert torch.equal(quantized, Levels.quantize(levels, x, unit, unit.reciprocal()))
    x[5] = math.nan
    assert levels.quantize(x, unit, unit.reciprocal()).isnan().nonzero().tolist() == [[5]]


@needs_compiler
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("pact", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradients_are_those_of_aten(signed: bool, pact: bool, layout: torch.memory_format) -> None:
    levels, alpha = Uniform(3, signed), torch.tensor(1.3)
    x = values(signed, (3, 7, 64, 65)).to(memory_format=layout)
    x[0, 0, 0, :4] = torch.tensor([0.0, 1.3, 1.3000001, -1.3])
    y, grad = quantize(levels, x, alpha), torch.randn_like(x)
    dx, dalpha = levels.gradients(grad, x, y, alpha, pact)
    expected, _ = Levels.gradients(levels, grad, x, y, alpha, pact)
    assert torch.equal(dx, expected)
    _, exact = Levels.gradients(levels, grad.double(), x.double(), y.double(), alpha.double(), pact)
    assert dalpha.dtype == torch.float32
    assert dalpha.item() == pytest.approx(exact.item(), rel=1e-5, abs=1e-3)
    strided = grad.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2)  # the same numbers in another order
    again, dagain = levels.gradients(strided, x, y, alpha, pact)
    assert torch.equal(again, dx)
    assert torch.equal(dagain, dalpha)


@needs_compiler
def test_results_do_not_depend_on_the_number_of_threads() -> None:
    levels, alpha, x = Uniform(4, True), torch.tensor(1.3), values(True)
    grad, results, before = torch.randn(LARGE), [], torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            y = quantize(levels, x, alpha)
            results.append((y, *levels.gradients(grad, x, y, alpha, False)))
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_what_does_not_pay_or_fit_is_left_to_aten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "library", lambda: pytest.fail("compiled"))
    unit, x = torch.tensor(0.1), torch.rand(LARGE)
    for other in (x[:1000], x.double(), x.bfloat16(), x.to("meta"), torch.rand(2 * LARGE)[::2]):
        assert not clip.fits(other, unit)
    assert not clip.fits(x, unit.double())
    assert not clip.fits(x.clone().requires_grad_(), unit)
    log = Logarithmic(4, False)
    log.gradients(x, x, quantize(log, x, unit), unit, False)


def without_compiler(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    return "C compiler"


def with_a_broken_one(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    return "/bin/false"


@pytest.mark.parametrize("prepare", [without_compiler, with_a_broken_one])
@pytest.mark.usefixtures("anew")
def test_nothing_needs_a_compiler(
    prepare: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    x = values(signed=True)
    q = ActivationQuantizer(4)
    compiled = q(x).detach()
    clip.library.cache_clear()
    named = prepare(monkeypatch)  # type: ignore[operator]
    with caplog.at_level(logging.INFO):
        assert torch.equal(q(x), compiled)
        q(x)
    assert [missing(record.message, named) for record in caplog.records] == [[]]


def source() -> str:
    return Path(clip.__file__).with_name("clip.c").read_text(encoding="utf-8")


@needs_compiler
def test_it_is_compiled_once_per_machine(
    anew: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        NetworkQuantizer(bits=4).prepare(torch.device("meta"))
        assert not anew.exists()
        NetworkQuantizer(bits=4).prepare(torch.device("cpu"))
        (file,) = (anew / "qsense").iterdir()
        clip.library.cache_clear()  # another process
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("compiled again"))
        assert clip.library() is not None
        clip.library()
    assert [str(file) in record.message for record in caplog.records] == [True, True]
    changed = [cached_file(source() + "\n", "cc", "clip"), cached_file(source(), "another compiler", "clip")]
    assert len({cached_file(source(), "cc", "clip"), *changed}) == 3


@needs_compiler
def test_processes_that_compile_at_once_do_not_meet(anew: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: load(source(), "cc", "clip", clip.FLAGS), range(4)))
    (file,) = (anew / "qsense").iterdir()
    assert {place for _, place in loaded} == {str(file)}


@needs_compiler
def test_a_cache_that_takes_no_files_is_done_without(anew: Path) -> None:
    anew.write_text("a file where the folder should be")
    library, place = load(source(), "cc", "clip", clip.FLAGS)
    assert library.quantize
    assert str(anew) not in place
