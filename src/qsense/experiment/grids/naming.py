"""What a sweep calls its runs: the cell of its table that a run belongs to, and which seed and fold it is.

Open it to change how runs are named in a sweep's lines and in a dry run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qsense.experiment.command_line.overrides import Job, experiment_of, key_of

# As `identity.run_name` writes it; a sweep whose user names the folders has other names.
NAME = re.compile(
    r"(?P<data>[^-]+)-(?P<quant>[^-]+)-((?P<bits>\d+)bit-)?(net(?P<network_bits>\d+)bit-)?"
    r"fold(?P<fold>\d+)-seed(?P<seed>-?\d+)-[0-9a-f]{10}"
)
IN_NAME = ("data", "quant", "bits", "network_bits", "quant.sensor.bits", "quant.network.bits", "runs")


@dataclass(frozen=True)
class Name:
    """A run's.

    Args:
        data: the option of `data`.
        cell: quantizer, bits, and what else tells its experiment from the sweep's others.
        repeat: "fold 2 seed 0"; empty where that is not known.
    """

    data: str
    cell: str
    repeat: str

    def within(self, several: bool) -> str:
        """In a line of a sweep, with the data where there are several."""
        return " ".join(filter(None, [self.data * several, self.cell, self.repeat]))


def name_runs(folders: Mapping[Job, Path]) -> dict[Path, Name]:
    """The name of each run of a sweep.

    >>> jobs = {("lr=1",): Path("a-log-2bit-fold01-seed0-0123456789"), ("lr=2",): Path("a-log-fold00-seed0-0123456789")}
    >>> [name.within(False) for name in name_runs(jobs).values()]
    ['log 2 bit lr=1 fold 1 seed 0', 'log lr=2 fold 0 seed 0']
    """
    experiments = [frozenset(experiment_of(job)) for job in folders]
    alike = frozenset.intersection(*experiments) if experiments else frozenset()
    return {folder: _name(job, folder, alike) for job, folder in folders.items()}


def _name(job: Job, folder: Path, alike: frozenset[str]) -> Name:
    match = NAME.fullmatch(folder.name)
    if match is None:
        return Name("", folder.name, "")
    sensor, network = match["bits"], match["network_bits"]
    bits = [f"{sensor} bit"] * bool(sensor) + [f"network {network} bit"] * bool(network)
    own = [entry.lstrip("+~") for entry in experiment_of(job) if entry not in alike and key_of(entry) not in IN_NAME]
    cell = " ".join(filter(None, [match["quant"], " + ".join(bits), *own]))
    return Name(match["data"], cell, f"fold {int(match['fold'])} seed {match['seed']}")
