"""Reading arguments from source: the same answer as importing the class and asking it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml
from hydra.utils import get_object

from qsense.experiment import signatures
from qsense.experiment.schema import config_folder

TARGETS = sorted(
    {
        node["_target_"]
        for file in config_folder().rglob("*.yaml")
        if (node := yaml.safe_load(file.read_text(encoding="utf-8"))) and isinstance(node, dict) and "_target_" in node
    }
)


def parameters(part: Any) -> dict[str, bool]:
    """Which arguments a class or function needs, those among them that it hands on as `**shared` or `**settings`."""
    needed: dict[str, bool] = {}
    for name, parameter in inspect.signature(part).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            needed[name] = parameter.default is inspect.Parameter.empty
        elif name == "settings":  # **settings: Unpack[Settings]
            (settings,) = get_args(get_type_hints(part.__init__, include_extras=True)[name])
            needed |= {key: key in settings.__required_keys__ for key in get_type_hints(settings)}
        else:
            needed |= {key: value for key, value in parameters(part.__base__).items() if key not in needed}
    return needed


@pytest.mark.parametrize("target", [t for t in TARGETS if t.startswith(("qsense.", "lightning."))])
def test_source_and_import_agree(target: str) -> None:
    known = signatures.arguments(target)
    assert known is not None
    expected = parameters(get_object(target))
    assert [(name, argument.required) for name, argument in known.items()] == list(expected.items())


CHOICES = [
    *(
        (f"qsense.quant.sensor.{name}", argument, allowed)
        for name in ("linear.Linear", "log.Log", "gamma.Gamma")
        for argument, allowed in (
            ("rounding", ("round", "floor")),
            ("surrogate", ("ste", "noise", "soft", "ewgs", "rect")),
            ("output", ("level", "code")),
        )
    ),
    ("qsense.quant.network.quantizer.NetworkQuantizer", "activation_levels", ("uniform", "log")),
    ("qsense.quant.network.quantizer.NetworkQuantizer", "alpha_grad", ("full", "pact")),
    ("qsense.quant.network.quantizer.NetworkQuantizer", "levels", ("uniform", "log")),
    ("qsense.quant.network.quantizer.NetworkQuantizer", "transform", ("none", "fat", "fat_scaled")),
    ("qsense.models.resnet_cifar.ResNetCIFAR", "shortcut", ("A", "B")),
    ("qsense.data.series.module.HARDataModule", "normalise", ("dataset", "train", "range", "none")),
]


@pytest.mark.parametrize(("target", "name", "allowed"), CHOICES)
def test_a_choice_is_known_with_all_its_values(target: str, name: str, allowed: tuple[str, ...]) -> None:
    argument = (signatures.arguments(target) or {})[name]
    assert all(argument.accepts(value) for value in allowed)
    assert not argument.accepts("flor")
    assert not argument.accepts(None)
    assert all(repr(value) in str(argument) for value in allowed)


def test_lightnings_trainer_is_read_without_importing_it() -> None:
    code = "import sys; from qsense.experiment import signatures; "
    code += "assert 'max_epochs' in signatures.arguments('lightning.Trainer'); "
    code += "assert 'lightning' not in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


UNTOLD = ["nowhere.Thing", "qsense", "qsense.nothing.Thing", "builtins.dict", "qsense.signal"]


@pytest.mark.parametrize("target", UNTOLD)
def test_what_the_source_cannot_tell_is_none(target: str) -> None:
    assert signatures.arguments(target) is None


@pytest.mark.parametrize(
    ("annotation", "fits", "does_not"),
    [
        ("int", [1], [1.5, "a", True, None]),
        ("float", [1, 1.5], ["a", True, None]),
        ("bool", [True], [1, "yes"]),
        ("str", ["a"], [1]),
        ("float | None", [None, 0.5], ["a"]),
        ('Literal["round", "floor"]', ["round"], ["ceil", None]),
        ("Sequence[str] | None", [["a"], None], [3, "a"]),
        ("tuple[float, float]", [[0.1, 1]], ["0.1", 2.5]),
        ("Unknown | int", ["a", 1], []),
    ],
)
def test_plain_types_are_checked_and_others_let_through(
    tmp_path: Path, annotation: str, fits: list[object], does_not: list[object]
) -> None:
    import ast

    argument = signatures.Argument(ast.parse(annotation, mode="eval").body, required=True)
    assert all(argument.accepts(value) for value in fits)
    assert not any(argument.accepts(value) for value in does_not)


def test_a_class_with_open_arguments_is_left_to_instantiate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "openpart"
    package.mkdir()
    (package / "__init__.py").write_text("from openpart.inner import Open, Closed\n")
    (package / "inner.py").write_text(
        "class Open:\n    def __init__(self, a, **rest): ...\n"
        "class Closed:\n    name = 'x'\n    def __init__(self, a, *, b=1): ...\n"
        "def function(c, d=2): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    signatures._find.cache_clear()
    assert signatures.arguments("openpart.Open") is None
    assert {k: v.required for k, v in (signatures.arguments("openpart.Closed") or {}).items()} == {
        "a": True,
        "b": False,
    }
    assert list(signatures.arguments("openpart.inner.function") or {}) == ["c", "d"]
    assert signatures.constant("openpart.Closed", "name") == "x"
    assert signatures.constant("openpart.Closed", "missing") is None


def test_arguments_of_a_class_without_a_constructor_are_its_bases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "family"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "old.py").write_text(
        "from abc import ABC\n"
        "class Root(ABC):\n    kind = 'root'\n    def __init__(self, a: int, b: bool = False): ...\n"
        "class Middle(Root):\n    pass\n"
    )
    (package / "new.py").write_text(
        "from abc import ABC\nfrom elsewhere import Lost\nfrom family.old import Middle as Base\n"
        "class Young(Base):\n    kind = 'young'\n"
        "class Bare(ABC): ...\n"
        "class Orphan(Lost): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    signatures._find.cache_clear()
    assert {k: v.required for k, v in (signatures.arguments("family.new.Young") or {}).items()} == {
        "a": True,
        "b": False,
    }
    assert signatures.constant("family.new.Young", "kind") == "young"
    assert signatures.constant("family.old.Middle", "kind") == "root"
    assert signatures.arguments("family.new.Bare") == {}
    assert signatures.arguments("family.new.Orphan") is None


def test_arguments_that_are_handed_on_to_the_base_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "handing.py").write_text(
        "class Old:\n    def __init__(self, a: int, b: bool = False): ...\n"
        "class New(Old):\n    def __init__(self, c, b=True, **more):\n        super().__init__(b=b, **more)\n"
        "class Fixed(Old):\n    def __init__(self, c, **more):\n        super().__init__(**more, b=True)\n"
        "class Placed(Old):\n    def __init__(self, c, **more):\n        super().__init__(c, **more)\n"
        "class Young(Fixed):\n    def __init__(self, d, **more):\n        super().__init__(d, **more)\n"
        "class Other(Old):\n    def __init__(self, c, **more):\n        print(more)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    signatures._find.cache_clear()
    known = signatures.arguments("handing.New") or {}
    assert {name: argument.required for name, argument in known.items()} == {"c": True, "b": False, "a": True}
    assert not known["a"].accepts("one")
    assert list(signatures.arguments("handing.Fixed") or {}) == ["c", "a"]
    assert list(signatures.arguments("handing.Placed") or {}) == ["c", "b"]
    assert list(signatures.arguments("handing.Young") or {}) == ["d", "a"]
    assert signatures.arguments("handing.Other") is None


def test_a_named_choice_is_what_it_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shades.py").write_text("from typing import Literal\nShade = Literal['dark', 'light']\nSize = int\n")
    (tmp_path / "lamp.py").write_text(
        "from shades import Shade as S, Size\n"
        "class Lamp:\n    def __init__(self, shade: S, other: S | None = None, size: Size = 1): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    signatures._find.cache_clear()
    known = signatures.arguments("lamp.Lamp") or {}
    assert known["shade"].choices == known["other"].choices == ("dark", "light")
    assert [known["shade"].accepts(value) for value in ("dark", "grey", None)] == [True, False, False]
    assert [known["other"].accepts(value) for value in ("dark", "grey", None)] == [True, False, True]
    assert known["size"].accepts("anything: only choices are looked up")
