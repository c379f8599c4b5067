"""Read a part's `__init__` from its source, so that a wrong argument is answered before torch is imported."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SIMPLE_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "str": (str,),
    "None": (type(None),),
    "Path": (str,),
}
Signature = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True)
class Argument:
    """One argument of a part: its annotation as written, and whether it has a default."""

    annotation: ast.expr | None
    required: bool

    def accepts(self, value: Any) -> bool:
        """Whether a plain YAML value fits the annotation; annotations beyond plain types accept everything."""
        return self.annotation is None or _accepts(self.annotation, value)

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values that a `Literal[…]` allows; none for other annotations.

        >>> arguments("qsense.quant.sensor.linear.Linear")["rounding"].choices
        ('round', 'floor')
        """
        match self.annotation:
            case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
                allowed = ast.literal_eval(choices)
                return allowed if isinstance(allowed, tuple) else (allowed,)
        return ()

    def __str__(self) -> str:
        return "anything" if self.annotation is None else ast.unparse(self.annotation).replace("Literal", "one of ")


def _accepts(annotation: ast.expr, value: Any) -> bool:
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _accepts(left, value) or _accepts(right, value)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            allowed = ast.literal_eval(choices)
            return value in (allowed if isinstance(allowed, tuple) else (allowed,))
        case ast.Constant(value=None):
            return value is None
        case ast.Name(id=name) if name in SIMPLE_TYPES:
            if isinstance(value, bool) and name in ("int", "float"):
                return False
            return isinstance(value, SIMPLE_TYPES[name])
    return True


@cache
def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def find(target: str) -> Signature | None:
    """The definition behind a `_target_`, following re-exports; None where the source cannot tell."""
    found = _find(target)
    return None if found is None else found[0]


def definition(target: str) -> str:
    """The path of the module that defines a `_target_`, with its name, whichever module hands it on.

    >>> definition("lightning.Trainer")
    'lightning.pytorch.trainer.trainer.Trainer'
    """
    found = _find(target)
    return target if found is None else found[1]


@cache
def _find(target: str) -> tuple[Signature, str] | None:
    top, *rest = target.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not rest:
        return None
    locations = list(spec.submodule_search_locations or [])
    if not locations:  # a single file
        return _definition(Path(spec.origin or ""), rest, target)
    place = Path(locations[0])
    for depth, part in enumerate(rest):
        if (place / part).is_dir():
            place = place / part
        elif (place / f"{part}.py").is_file():
            return _definition(place / f"{part}.py", rest[depth + 1 :], target)
        else:
            return _definition(place / "__init__.py", rest[depth:], target)
    return None


def _definition(file: Path, names: list[str], target: str) -> tuple[Signature, str] | None:
    if len(names) != 1 or not file.is_file() or file.suffix != ".py":
        return None
    (name,) = names
    for node in _parse(file).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node, target
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _find(f"{node.module}.{alias.name}")
    return None


def arguments(target: str) -> dict[str, Argument] | None:
    """The arguments that a `_target_` takes, in order.

    Returns:
        Name → argument, or None where the source cannot tell (no own `__init__`, `**kwargs`, not found).

    >>> list(arguments("qsense.models.deepconvlstm.DeepConvLSTM"))[:3]
    ['channels', 'window', 'num_classes']
    """
    node = find(target)
    if isinstance(node, ast.ClassDef):
        methods = [m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "__init__"]
        if not methods:
            return None
        function, skip = methods[0], 1
    elif isinstance(node, ast.FunctionDef):
        function, skip = node, 0
    else:
        return None
    spec = function.args
    if spec.kwarg is not None:
        return None
    positional = [*spec.posonlyargs, *spec.args]
    defaults = [False] * (len(positional) - len(spec.defaults)) + [True] * len(spec.defaults)
    found = {a.arg: Argument(a.annotation, not has) for a, has in zip(positional, defaults, strict=True)}
    found = dict(list(found.items())[skip:])
    for argument, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        found[argument.arg] = Argument(argument.annotation, default is None)
    return found


def constant(target: str, name: str) -> Any:
    """A literal class attribute of a `_target_`, or None where there is none.

    >>> constant("qsense.tasks.har.HARTask", "network_facts")
    ('channels', 'window', 'num_classes')
    """
    node = find(target)
    for statement in node.body if isinstance(node, ast.ClassDef) else []:
        match statement:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return ast.literal_eval(value)
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value) if found == name:
                return ast.literal_eval(value)
    return None
