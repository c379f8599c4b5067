"""How long the report takes to read a study: the first scan, and later ones through the index beside the runs.

    python benchmarks/report.py [--runs 1000 10000]

Runs are made up, in a temporary folder: 90 (30 folds × 3 seeds) to a cell, with the configuration of a real run. Later
scans are the fastest of three; the computer's own file cache is warm.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from qsense.experiment.schema import config_folder
from qsense.study.index import INDEX
from qsense.study.page import study_page
from qsense.study.summary import summarise, table

FOLDS, SEEDS = 30, 3
QUANTIZERS = ("linear", "log", "gamma", "gamma_per_axis")


def make_study(root: Path, count: int) -> None:
    """Folders of finished runs as training leaves them, but for checkpoints and pictures."""
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("train", ["data=synthetic_imu", "quant=gamma"])
    OmegaConf.set_struct(config, False)
    plain = {key: config[key] for key in ("bits", "seed", "fold", "quant", "data", "model", "task", "trainer")}
    whole = OmegaConf.to_container(OmegaConf.create(plain))
    assert isinstance(whole, dict)
    for number in range(count):
        cell, repeat = divmod(number, FOLDS * SEEDS)
        seed, fold = divmod(repeat, FOLDS)
        sensor = {"gamma": round(0.1 * (1 + cell // 8), 1)}
        quant, bits = QUANTIZERS[cell % 4], 2 + 2 * (cell // 4 % 2)
        names = {"task": "har", "data": "sbhar", "model": "deepconvlstm", "quant": quant}
        whole |= {"bits": bits, "seed": seed, "fold": fold, "choices": names}
        whole["quant"] = {"sensor": {**whole["quant"]["sensor"], **sensor, "bits": bits}, "network": None}
        classes = {f"class {i}": 0.5 for i in range(13)}
        result = {
            **names,
            "dataset": "SBHAR",
            "bits": bits,
            "seed": seed,
            "fold": fold,
            "num_folds": FOLDS,
            "monitor": "f1_sample",
            "metrics": {"f1_sample": 0.5 + 0.001 * (number % 97), "f1_window": 0.5},
            "per_class": {"f1_sample": classes, "f1_window": classes},
            "quantizer": {"gamma": [0.41234567], "mu": [0.01234567]},
            "cost": {"macs": 1e6, "bops": 1e9, "size_mb": 0.5},
        }
        folder = root / f"sbhar-{quant}-{bits}bit-fold{fold:02d}-seed{seed}-{number:010x}"
        folder.mkdir()
        (folder / "config.yaml").write_text(yaml.dump(whole, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
        (folder / "run.json").write_text(json.dumps({"status": "finished", "started": [0.0], "ended": 60.0}))
        (folder / "metrics.json").write_text(json.dumps(result))


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """The fastest of some times."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


def measure(count: int) -> str:
    """What a study of so many runs takes, in one line."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_study(root, count)
        first = seconds(lambda: summarise([root]))
        later = seconds(lambda: summarise([root]), 3)
        for run in sorted(root.glob("sbhar*"))[:100]:
            (run / "metrics.json").touch()
        changed = seconds(lambda: summarise([root]))
        size = (root / INDEX).stat().st_size / 1e6
        summary = summarise([root])
        again = seconds(lambda: table(summary.runs, "f1_window"), 3)
        html = study_page([summary])
        drawn = seconds(lambda: study_page([summary]))
    return (
        f"{count:6d} runs: first scan {first:.2f} s, later {later:.2f} s, with 100 changed {changed:.2f} s; "
        f"index {size:.1f} MB; a further metric {again:.2f} s; page {drawn:.2f} s, {len(html) / 1e6:.1f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, 10_000])
    for count in parser.parse_args().runs:
        print(measure(count))


if __name__ == "__main__":
    main()
