"""Weights from files: prefixes, wrappings, and one table where they do not fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.refusal import refused
from torch import Tensor, nn

from qsense.models.resnet_cifar import ResNetCIFAR
from qsense.models.weights import load_weights


def network(width: int = 3, bias: bool = True) -> nn.Module:
    return nn.Sequential(nn.Linear(2, width, bias=bias), nn.BatchNorm1d(width))


def states() -> dict[str, Tensor]:
    return {
        key: torch.randn_like(value) if value.is_floating_point() else value
        for key, value in network().state_dict().items()
    }


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "best_prec1": 91.2},
        lambda s: {"model": s},
        lambda s: {f"module.{k}": v for k, v in s.items()},
        lambda s: {
            "state_dict": {f"network.{k}": v for k, v in s.items()}
            | {"mean": torch.zeros(1), "sensor.p": torch.ones(1)}
        },
        lambda s: {f"_orig_mod.module.{k}": v for k, v in s.items()},
        lambda s: {k: v for k, v in s.items() if not k.endswith("num_batches_tracked")},
    ],
)
def test_wrappings_prefixes_and_missing_counters_are_seen_through(tmp_path: Path, wrap: Any) -> None:
    state = states()
    torch.save(wrap(state), tmp_path / "w.th")
    filled = network()
    load_weights(filled, str(tmp_path / "w.th"))
    for key, value in filled.state_dict().items():
        assert torch.equal(value, state[key])


def test_nothing_is_loaded_where_none_is_named() -> None:
    plain = network()
    before = {key: value.clone() for key, value in plain.state_dict().items()}
    load_weights(plain, None)
    assert all(torch.equal(value, before[key]) for key, value in plain.state_dict().items())


def test_all_mismatches_stand_in_one_table_and_nothing_is_changed(tmp_path: Path) -> None:
    state = states()
    state["extra"] = torch.zeros(4)
    del state["1.running_var"]
    torch.save({f"module.{k}": v for k, v in state.items()}, tmp_path / "w.th")
    other = network(width=5)
    before = other.state_dict()["0.weight"].clone()
    with refused(ValueError, tmp_path / "w.th", "Sequential", 7, 8, "'module.'") as caught:
        load_weights(other, str(tmp_path / "w.th"))
    lines = str(caught.value).splitlines()
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[2:]}
    assert rows["0.weight"] == "(5, 2) (3, 2)"
    assert rows["1.running_var"] == "(5,) missing"
    assert rows["extra"] == "– (4,)"
    assert torch.equal(other.state_dict()["0.weight"], before)


def test_a_long_table_is_cut_with_the_shapes_first(tmp_path: Path) -> None:
    torch.save(ResNetCIFAR(3, 10, depth=14, width=4).state_dict(), tmp_path / "w.th")
    with refused(ValueError, tmp_path / "w.th", "ResNetCIFAR") as caught:
        ResNetCIFAR(1, 10, depth=8, width=4, weights=str(tmp_path / "w.th"))
    lines = str(caught.value).splitlines()
    assert lines[2].split()[0] == "conv1.weight"
    assert lines[-1].startswith("  … and ")
    assert len(lines) == 23


class Code:
    def __reduce__(self) -> Any:
        return os.system, ("touch owned",)


def test_files_that_are_no_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with refused(FileNotFoundError, f"weights={tmp_path / 'none.th'}"):
        load_weights(network(), str(tmp_path / "none.th"))
    (tmp_path / "text.th").write_text("hello")
    with refused(ValueError, "text.th"):
        load_weights(network(), "text.th")
    torch.save({"state_dict": Code()}, tmp_path / "code.th")
    with refused(ValueError, "code.th"):
        load_weights(network(), "code.th")
    assert not (tmp_path / "owned").exists()
    torch.save([1, 2], tmp_path / "list.th")
    with refused(ValueError, "list.th", "state dict"):
        load_weights(network(), "list.th")


def test_addresses_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = states()
    asked: dict[str, Any] = {}

    def fetch(url: str, **options: Any) -> dict[str, Tensor]:
        asked.update(options, url=url)
        if "missing" in url:
            raise OSError("404")
        return state

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    filled = network()
    load_weights(filled, "https://example.org/w-12345678.th")
    assert torch.equal(filled.state_dict()["0.weight"], state["0.weight"])
    assert asked["weights_only"] is True
    assert asked["check_hash"] is True
    with refused(FileNotFoundError, "https://example.org/missing.th", 404):
        load_weights(filled, "https://example.org/missing.th")


def test_named_parts_of_a_file_may_be_left_out(tmp_path: Path) -> None:
    state = states() | {"fc.weight": torch.zeros(4), "fc.bias": torch.zeros(4)}
    torch.save({f"module.{k}": v for k, v in state.items()}, tmp_path / "w.th")
    filled = network()
    load_weights(filled, str(tmp_path / "w.th"), ignore=("fc.",))
    assert torch.equal(filled.state_dict()["0.weight"], state["0.weight"])
    with refused(ValueError, tmp_path / "w.th", "fc.weight"):
        load_weights(filled, str(tmp_path / "w.th"), ignore=("fc.b",))
    load_weights(filled, str(tmp_path / "w.th"), ignore=("fc.", "1."))  # own names are filled all the same
    assert torch.equal(filled.state_dict()["1.weight"], state["1.weight"])
    with refused(FileNotFoundError, "pretrained=none.th"):
        load_weights(filled, "none.th", argument="pretrained")
