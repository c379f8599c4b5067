"""Straight-through gradients: forward takes a step, backward does as if it had not (Bengio et al., 2013).

Open it to give a step a gradient; the quantizers of the sensor and of weights do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Pullback = Callable[[Tensor, Tensor, bool, Sequence[bool]], tuple[Tensor | None, Sequence[Tensor | None]]]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, value: Callable[[Tensor], Tensor], pullback: Pullback, *parameters: Tensor
    ) -> Tensor:
        ctx.pullback = pullback
        ctx.save_for_backward(x, *parameters)
        return value(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        wants_x, _, _, *wants = ctx.needs_input_grad
        grad_x, grad_parameters = ctx.pullback(ctx.saved_tensors[0], grad, wants_x, wants)
        return grad_x, None, None, *grad_parameters


def straight_through(
    x: Tensor, value: Callable[[Tensor], Tensor], pullback: Pullback, parameters: Sequence[Tensor] = ()
) -> Tensor:
    """Give `value(x)` a gradient of its own; only x and the parameters are kept for backward.

    Args:
        x: input of any shape.
        value: what forward returns; may be as discontinuous as it likes.
        pullback: `pullback(x, grad, wants_x, wants_parameters)` → gradients of x and of each
            parameter, None where unwanted.
        parameters: tensors that `value` depends on besides x.

    >>> x = torch.tensor([0.2, 0.7], requires_grad=True)
    >>> y = straight_through(x, torch.sign, lambda x, grad, *_: (grad * 10, ()))
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([1.0, 1.0], [10.0, 10.0])
    """
    result: Tensor = _StraightThrough.apply(x, value, pullback, *parameters)
    return result


def differentiate(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    grad: Tensor,
    parameters: Sequence[Tensor],
    wants_x: bool,
    wants: Sequence[bool],
) -> tuple[Tensor | None, list[Tensor | None]]:
    """Gradients of Σ grad · function(x) by evaluating it anew: for a pullback that has no closed form.

    Args:
        function: differentiable; its result broadcasts to x.
        x: where.
        grad: in the shape of x.
        parameters: tensors that `function` depends on besides x.
        wants_x: whether x's gradient is needed.
        wants: for each parameter, whether its gradient is needed.

    >>> p = torch.tensor([3.0], requires_grad=True)
    >>> differentiate(lambda x: p * x**2, torch.tensor([1.0, 2.0]), torch.ones(2), [p], True, [True])
    (tensor([ 6., 12.]), [tensor([5.])])
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_(wants_x)
        y = function(x).expand_as(grad)
        wanted = [x] * wants_x + [p for p, want in zip(parameters, wants, strict=True) if want]
        gradients = iter(torch.autograd.grad(y, wanted, grad, allow_unused=True) if y.requires_grad else ())
    grad_x = next(gradients, None) if wants_x else None
    return grad_x, [next(gradients, None) if want else None for want in wants]


class _Floor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, shift: float) -> Tensor:
        return torch.floor(v + shift if shift else v)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


def floor(v: Tensor) -> Tensor:
    """Largest integer ≤ v, with the gradient of v.

    >>> v = torch.tensor([-0.5, 1.9], requires_grad=True)
    >>> floor(v).sum().backward()
    >>> floor(v).tolist(), v.grad.tolist()
    ([-1.0, 1.0], [1.0, 1.0])
    """
    result: Tensor = _Floor.apply(v, 0.0)
    return result


def round_half_up(v: Tensor) -> Tensor:
    """Nearest integer, ties upwards (as `floor(v + 1/2)`; `torch.round` takes ties to even), with the gradient of v.

    >>> round_half_up(torch.tensor([-0.5, 0.5, 1.5, 2.4])).tolist()
    [0.0, 1.0, 2.0, 2.0]
    """
    result: Tensor = _Floor.apply(v, 0.5)
    return result
