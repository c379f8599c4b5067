"""Read a part's `__init__` from its source, so that a wrong argument is answered before torch is imported."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
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
SEQUENCES = ("Sequence", "list", "tuple")
Signature = ast.ClassDef | ast.FunctionDef
# Bases that add neither an argument nor a method that anybody asks for.
PLAIN_BASES = ("ABC", "object", "Generic", "Protocol", "nn.Module")


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
        """The values that each `Literal[…]` of the annotation allows; none where there is none.

        >>> arguments("qsense.quant.sensor.linear.Linear")["rounding"].choices
        ('round', 'floor')
        """
        return _choices(self.annotation)

    def __str__(self) -> str:
        return "anything" if self.annotation is None else ast.unparse(self.annotation).replace("Literal", "one of ")


def _choices(annotation: ast.expr | None) -> tuple[Any, ...]:
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return (*_choices(left), *_choices(right))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            allowed = ast.literal_eval(choices)
            return allowed if isinstance(allowed, tuple) else (allowed,)
    return ()


def _accepts(annotation: ast.expr, value: Any) -> bool:
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _accepts(left, value) or _accepts(right, value)
        case ast.Subscript(value=ast.Name(id="Literal")):
            return value in _choices(annotation)
        case ast.Constant(value=None):
            return value is None
        case ast.Subscript(value=ast.Name(id=name)) if name in SEQUENCES:
            return not isinstance(value, str | int | float)
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
    return found[0] if found and isinstance(found[0], Signature) else None


def definition(target: str) -> str:
    """The path of the module that defines a `_target_`, with its name, whichever module hands it on.

    >>> definition("lightning.Trainer")
    'lightning.pytorch.trainer.trainer.Trainer'
    """
    found = _find(target)
    return target if found is None else found[1]


@cache
def _find(target: str) -> tuple[Signature | ast.Assign, str] | None:
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


def _definition(file: Path, names: list[str], target: str) -> tuple[Signature | ast.Assign, str] | None:
    if len(names) != 1 or not file.is_file() or file.suffix != ".py":
        return None
    (name,) = names
    for node in _parse(file).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node, target
        if isinstance(node, ast.Assign) and [ast.unparse(left) for left in node.targets] == [name]:
            return node, target
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _find(f"{node.module}.{alias.name}")
    return None


def arguments(target: str) -> dict[str, Argument] | None:
    """The arguments that a `_target_` takes, in order.

    A class without an `__init__` takes those of its base class. One whose `__init__` ends in `**shared` and hands them
    on by `super().__init__(…, **shared)` takes its own arguments, and those of its base class that this call leaves
    open.

    Returns:
        Name → argument, or None where the source cannot tell (other `**kwargs`, not found, a base that is not found).

    >>> list(arguments("qsense.models.deepconvlstm.DeepConvLSTM"))[:3]
    ['channels', 'window', 'num_classes']
    >>> list(arguments("qsense.quant.sensor.linear.Linear"))
    ['signal', 'bits', 'rounding', 'surrogate', 'output']
    """
    node = find(target)
    if isinstance(node, ast.FunctionDef):
        return None if node.args.kwarg else _named_arguments(node, _module(definition(target)))
    known: dict[str, Argument] = {}
    by_place, by_name = 1, set[str | None]()  # what is filled already; self is
    for base in _with_bases(target):
        if base is None:
            return None
        for method in base[0].body:
            if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                named = list(_named_arguments(method, base[1]).items())[by_place:]
                known |= {name: argument for name, argument in named if name not in {*known, *by_name}}
                if method.args.kwarg is None:
                    return known
                call = _handing_on(method, method.args.kwarg.arg)
                if call is None:
                    return None
                by_place = 1 + len(call.args)
                by_name |= {keyword.arg for keyword in call.keywords}
    return None if node is None else known


def _handing_on(method: ast.FunctionDef, shared: str) -> ast.Call | None:
    """The call `super().__init__(…, **shared)` of an `__init__`, if there is one."""
    for call in ast.walk(method):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__":
            handed_on = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg is None]
            if handed_on == [shared]:
                return call
    return None


def _named_arguments(function: ast.FunctionDef, module: str) -> dict[str, Argument]:
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    defaults = [False] * (len(positional) - len(spec.defaults)) + [True] * len(spec.defaults)
    known = {
        a.arg: Argument(_expanded(a.annotation, module), not has) for a, has in zip(positional, defaults, strict=True)
    }
    for argument, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        known[argument.arg] = Argument(_expanded(argument.annotation, module), default is None)
    return known


def _expanded(annotation: ast.expr | None, module: str) -> ast.expr | None:
    """An annotation of this module in its plainest form.

    That is `X | None` for `Optional[X]`, `A | B` for `Union[A, B]`, and for a name what that stands for.
    """
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr() as either, right=right):
            return ast.BinOp(_expanded(left, module) or left, either, _expanded(right, module) or right)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return ast.BinOp(_expanded(inner, module) or inner, ast.BitOr(), ast.Constant(None))
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=members)):
            first, *others = [_expanded(member, module) or member for member in members]
            for other in others:
                first = ast.BinOp(first, ast.BitOr(), other)
            return first
        case ast.Name(id=name) if name not in SIMPLE_TYPES:
            match _find(f"{module}.{name}"):
                case (ast.Assign(value=ast.Subscript(value=ast.Name(id="Literal" | "Union")) as meant), path):
                    return _expanded(meant, _module(path))
    return annotation


def _module(path: str) -> str:
    return path.rpartition(".")[0]


def _with_bases(target: str) -> Iterator[tuple[ast.ClassDef, str] | None]:
    """A class and its bases, nearest first, each with its module; None for a base whose source is not found."""
    node, path = _find(target) or (None, "")
    if not isinstance(node, ast.ClassDef):
        yield None
        return
    yield node, _module(path)
    for base in node.bases:
        written = ast.unparse(base).partition("[")[0]
        if written not in PLAIN_BASES:
            yield from _with_bases(f"{_module(path)}.{written}")


def constant(target: str, name: str) -> Any:
    """A literal class attribute of a `_target_`, its own or a base class's; None where there is none.

    >>> constant("qsense.tasks.har.HARTask", "network_facts")
    ('channels', 'window', 'num_classes')
    """
    for base in _with_bases(target):
        for statement in base[0].body if base else []:
            match statement:
                case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                    return ast.literal_eval(value)
                case ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value) if found == name:
                    return ast.literal_eval(value)
    return None


def has_method(target: str, name: str) -> bool | None:
    """Whether a `_target_` has a method, its own or a base class's; None where the source does not tell.

    >>> has_method("qsense.models.tiny_conv.TinyConv", "chain"), has_method("qsense.models.vgg_small.VGGSmall", "chain")
    (True, False)
    >>> has_method("qsense.models.torchvision_nets.resnet18", "chain")  # a function, which may return any network
    """
    bases = list(_with_bases(target))
    for statement in (statement for base in bases if base for statement in base[0].body):
        if isinstance(statement, ast.FunctionDef) and statement.name == name:
            return True
    return None if None in bases else False
