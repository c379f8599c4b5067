"""The papers' figures beside ours: only on the papers' own protocol, which the experiments' YAML must compose to."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from tests.study_folders import make_run

from qsense.__main__ import main
from qsense.study.files import write_report
from qsense.study.published import Published, differences, figures, protocol
from qsense.study.run import Run, read_run
from qsense.study.screen import print_report
from qsense.study.summary import summarise, with_paper

Compose = Callable[..., DictConfig]
DATA = {"SBHAR": "sbhar", "WEAR": "wear", "Wetlab": "wetlab", "Hang-Time": "hangtime", "RWHAR": "rwhar"}
PAPER = Path(__file__).parents[3] / "shared" / "reference" / "paper"
AUTHORS = "experiment=gamma_quant_har_authors"


def composed_run(folder: Path, composed: Compose, overrides: list[str], fold: int = 0, seed: int = 0) -> Path:
    """A run's folder with the configuration that these overrides compose to."""
    folder.mkdir(parents=True)
    config = composed(*overrides)
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    taken = plain.pop("hydra")["runtime"]["choices"]
    groups = {name: taken[name] for name in ("task", "data", "model", "quant")}
    (folder / "config.yaml").write_text(yaml.safe_dump(plain | {"seed": seed, "fold": fold, "choices": groups}))
    return folder


def finish(folder: Path, dataset: str, folds: int, score: float, metric: str = "f1_sample") -> None:
    """Add a result."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    quantized = config["quant"]["sensor"].get("bits") or (config["quant"]["network"] or {}).get("bits")
    result = {
        **config["choices"],
        "dataset": dataset,
        "bits": quantized,
        "seed": config["seed"],
        "fold": config["fold"],
        "num_folds": folds,
        "monitor": metric,
        "metrics": {metric: score},
    }
    (folder / "metrics.json").write_text(json.dumps(result))


def overrides_of(figure: Published) -> list[str]:
    """The command line that makes a published figure's run."""
    parts = [f"experiment={figure.experiment}", f"quant={figure.quant}", f"bits={figure.bits or 4}"]
    if figure.experiment == "gamma_quant_har":
        parts.append(f"data={DATA[figure.dataset]}")
    if figure.model and not figure.experiment.endswith(figure.model):
        parts.append(f"model={figure.model}")
    return parts + [f"{key}={value}" for key, value in figure.quantizer.items()]


def kinds() -> list[Published]:
    """One published figure per experiment, quantizer and start value."""
    found = {(f.experiment, f.quant, f.model, tuple(f.quantizer.items())): f for f in figures()}
    return list(found.values())


@pytest.mark.parametrize("figure", kinds(), ids=lambda f: f"{f.experiment}-{f.quant}-{f.model}-{f.quantizer}")
def test_the_experiments_are_the_papers_protocol(tmp_path: Path, composed: Compose, figure: Published) -> None:
    run = read_run(composed_run(tmp_path / "run", composed, overrides_of(figure)))
    assert differences(run, figure) == []
    config = yaml.safe_load((run.folder / "config.yaml").read_text())
    config["trainer"]["max_epochs"] = 7
    (run.folder / "config.yaml").write_text(yaml.safe_dump(config))
    epochs = protocol(figure.experiment, figure.quant)["trainer.max_epochs"]
    assert differences(read_run(run.folder), figure) == [f"trainer.max_epochs 7 (paper: {epochs})"]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("quant.sensor.surrogate=noise", "quant.sensor.surrogate noise (paper: ste)"),
        ("rounding=floor", "quant.sensor.rounding floor (paper: round)"),
        ("quant.sensor.gamma=0.3", "quant.sensor.gamma 0.3 (paper: 0.4)"),
        ("data.normalise=train", "data.normalise train (paper: dataset)"),
        ("task.standardise=true", "task.standardise true (paper: false)"),
        ("model.layers=2", "model.layers 2 (paper: 1)"),
        ("model.lstm_bias=zero", "model.lstm_bias zero (paper: uniform)"),
        (AUTHORS, "model.lstm_bias zero (paper: uniform)"),
        ("trainer=smoke", "trainer.max_steps 3 (paper: -1)"),
    ],
)
def test_what_differs_is_named(tmp_path: Path, composed: Compose, override: str, said: str) -> None:
    figure = next(f for f in figures() if (f.dataset, f.quant, f.bits) == ("SBHAR", "gamma", 2))
    run = read_run(composed_run(tmp_path / "run", composed, [*overrides_of(figure), override]))
    assert said in differences(run, figure)


def test_the_authors_network_differs_in_its_lstm_alone(tmp_path: Path, composed: Compose) -> None:
    figure = next(f for f in figures() if (f.dataset, f.quant, f.bits) == ("SBHAR", "gamma", 2))
    run = read_run(composed_run(tmp_path / "run", composed, [*overrides_of(figure), AUTHORS]))
    assert sorted(differences(run, figure)) == ["model.layers 2 (paper: 1)", "model.lstm_bias zero (paper: uniform)"]


def test_what_the_paper_does_not_know_is_named(tmp_path: Path, composed: Compose) -> None:
    figure = next(f for f in figures() if f.experiment == "fat_cifar10_resnet20")
    changed = [*overrides_of(figure), "quant.network.first_last_range=max"]
    run = read_run(composed_run(tmp_path / "run", composed, changed))
    assert differences(run, figure) == ["quant.network.first_last_range max (paper: not set)"]


def test_a_start_value_left_to_the_signal_is_the_papers(tmp_path: Path, composed: Compose) -> None:
    figure = next(f for f in figures() if (f.dataset, f.quant, f.bits) == ("SBHAR", "gamma", 2))
    run = read_run(composed_run(tmp_path / "run", composed, [*overrides_of(figure), "quant.sensor.gamma=null"]))
    assert differences(run, figure) == []


def test_a_run_without_its_configuration_is_on_no_protocol(tmp_path: Path) -> None:
    run = Run(tmp_path, "finished", "", "har", "sbhar", "gamma", "deepconvlstm", "SBHAR", 2, None, 0, 0)
    assert differences(run, figures()[0]) == [f"the run's configuration is lost: {tmp_path}"]


def test_figures_are_the_papers() -> None:
    by_source: dict[str, list[Published]] = {}
    for figure in figures():
        by_source.setdefault(figure.source, []).append(figure)
    assert {name: len(several) for name, several in by_source.items()} == {
        "γ-Quant, Table 2": 35,
        "γ-Quant, Table 3": 40,
        "FAT, Table 1": 24,
        "FAT, Table 2": 18,
    }
    sbhar = next(f for f in figures() if (f.dataset, f.quant, f.bits) == ("SBHAR", "gamma", 2))
    assert (sbhar.mean, sbhar.std, sbhar.folds, sbhar.seeds) == (40.18, 0.32, 30, 3)


@pytest.mark.skipif(not PAPER.is_dir(), reason=f"no {PAPER}: the papers' figures to compare the packaged ones with")
def test_packaged_figures_are_unchanged() -> None:
    import qsense

    packaged = Path(qsense.__file__).parent / "paper"
    assert {file.name: file.read_text() for file in packaged.glob("*.csv")} == {
        file.name: file.read_text() for file in PAPER.glob("*.csv")
    }


# ------------------------------------------------------------------------------------------------------------- tables


@pytest.fixture
def study(tmp_path: Path, composed: Compose) -> Path:
    """SBHAR: gamma at 2 bits in full (seeds 0.40, 0.41, 0.42), and one run of linear."""
    for quant, folds, seeds in (("gamma", 30, 3), ("linear", 1, 1)):
        first = composed_run(
            tmp_path / "template" / quant, composed, ["experiment=gamma_quant_har", f"quant={quant}", "bits=2"]
        )
        config = yaml.safe_load((first / "config.yaml").read_text())
        for seed in range(seeds):
            for fold in range(folds):
                folder = tmp_path / "runs" / f"{quant}-{seed}-{fold}"
                folder.mkdir(parents=True)
                (folder / "config.yaml").write_text(json.dumps(config | {"seed": seed, "fold": fold}))
                finish(folder, "SBHAR", 30, 0.40 + 0.01 * seed)
    return tmp_path / "runs"


def test_difference_in_std_beside_ours(study: Path, tmp_path: Path) -> None:
    summary = with_paper(summarise([study]))
    console = Console(width=200, color_system=None, record=True, file=io.StringIO())
    print_report(summary, console)
    text = " ".join(console.export_text().split())
    std = 100 * math.sqrt(2 / 3) * 0.01
    in_std = (41.0 - 40.18) / math.hypot(std, 0.32)
    assert "paper 40.18 ± 0.32" in text
    assert f"+0.82 ({in_std:+.1f} std)" in text
    assert "paper 33.02 ± 0.39 ‡" in text
    assert "paper: the published figure, ours − it, and that ÷ √(our std² + the paper's²)." in text
    differs = "linear 2 bit, SBHAR (γ-Quant, Table 2): 1×1 of 30×3 folds × seeds (paper: 30×3)"
    assert f"‡ Not the paper's protocol {differs}" in text
    write_report(summary, tmp_path / "report")
    gamma, linear = sorted(csv.DictReader((tmp_path / "report" / "report.csv").open()), key=lambda row: row["quant"])
    assert (gamma["paper"], gamma["paper_std"], gamma["source"]) == ("40.18", "0.32", "γ-Quant, Table 2")
    assert float(gamma["difference_in_std"]) == pytest.approx(in_std)
    assert (linear["paper"], linear["difference"]) == ("33.02", "")
    assert "paper 40.18 ± 0.32" in (tmp_path / "report" / "report.md").read_text()
    assert "\\small paper 40.18" in (tmp_path / "report" / "report.tex").read_text()


def test_of_many_differences_the_first_are_named(tmp_path: Path) -> None:
    keys = ("max_epochs", "max_steps", "precision", "accumulate_grad_batches", "gradient_clip_val")
    make_run(tmp_path / "runs", trainer=dict.fromkeys(keys, 7))
    out = tmp_path / "report"
    write_report(with_paper(summarise([tmp_path / "runs"])), out)
    (row,) = csv.DictReader((out / "report.csv").open())
    assert len(row["differs"].split("; ")) > 10
    text = (out / "report.md").read_text()
    assert "- gamma 2 bit, SBHAR (γ-Quant, Table 2): 1×1 of 4×1 folds × seeds (paper: 30×3); " in text
    assert text.count("(paper: ") == 3
    assert " more\n" in text


def test_on_the_command_line(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(study), "--against", "paper", "--out", str(tmp_path / "report")]) == 0
    assert "+0.82" in capsys.readouterr().out


def test_two_seeds_are_not_the_papers_three(study: Path) -> None:
    for folder in study.glob("gamma-2-*"):
        (folder / "metrics.json").unlink()
        (folder / "config.yaml").unlink()
    (beside, _) = with_paper(summarise([study])).published.values()
    assert beside.differs
    assert "paper: 3" in "; ".join(beside.differs)


def test_sizes_and_learned_gammas(tmp_path: Path, composed: Compose) -> None:
    imagenet = composed_run(
        tmp_path / "runs" / "a", composed, ["experiment=fat_imagenet_resnet18", "quant=fat", "bits=4"]
    )
    finish(imagenet, "ImageNet", 1, 0.7, "top1")
    result = json.loads((imagenet / "metrics.json").read_text())
    cost = {"macs": 1, "bops": 34.7144e9, "size_mb": 6.10016}
    (imagenet / "metrics.json").write_text(json.dumps(result | {"cost": cost}))
    raw = composed_run(
        tmp_path / "runs" / "b", composed, ["experiment=pascal_raw_faster_rcnn", "quant=gamma", "bits=6"]
    )
    finish(raw, "PASCAL RAW", 1, 0.5, "top1")
    result = json.loads((raw / "metrics.json").read_text())
    (raw / "metrics.json").write_text(json.dumps(result | {"quantizer": {"gamma": [0.3512]}}))
    found = with_paper(summarise([tmp_path / "runs"])).findings
    assert found == {
        "The papers also state": [
            "resnet18, fat network 4 bit: 6.10 MB (paper 6.1), 34.7 GBOPs (paper 33.9)",
            "gamma 6 bit, PASCAL RAW: learned γ 0.351 (paper 0.338)",
        ]
    }
