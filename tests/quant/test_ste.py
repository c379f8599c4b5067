"""Straight-through functions: value and gradient."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from qsense.quant.ste import floor, round_half_up, straight_through


@given(st.floats(-1e6, 1e6, width=32))
def test_steps_forward_identity_backward(value: float) -> None:
    for step, expected in ((floor, torch.floor), (round_half_up, lambda v: torch.floor(v + 0.5))):
        v = torch.tensor([value], requires_grad=True)
        y = step(v)
        y.backward(torch.tensor([3.0]))
        assert torch.equal(y, expected(v.detach()))
        assert v.grad is not None
        assert v.grad.item() == 3.0


def test_pullback_learns_what_is_wanted_and_only_the_input_is_kept() -> None:
    seen: list[object] = []

    def pullback(x, grad, wants_x, wants):  # type: ignore[no-untyped-def]
        seen.append((wants_x, list(wants)))
        return None, [grad.sum() * 2]

    kept: list[torch.Tensor] = []
    x, weight = torch.randn(5), torch.ones((), requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):  # type: ignore[func-returns-value]
        y = straight_through(x, torch.sign, pullback, [weight])
    y.sum().backward()
    assert seen == [(False, [True])]
    assert weight.grad is not None
    assert weight.grad.item() == 10
    assert {t.data_ptr() for t in kept} == {x.data_ptr(), weight.data_ptr()}
