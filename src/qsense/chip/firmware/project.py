"""The C99 project of a firmware: hand-written sources, the same in every export, around the plan's own numbers.

Open it to see which files an export holds.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

from qsense.chip.firmware import expected, model
from qsense.chip.firmware.plan import Plan
from qsense.chip.firmware.readme import readme
from qsense.chip.firmware.sizes import Sizes
from qsense.chip.memory.c_header import arithmetic
from qsense.chip.memory.codec import Codec
from qsense.chip.origin import Origin


def write(plan: Plan, origin: Origin, majority: int = 1, packet_samples: int | None = None) -> dict[str, str]:
    """The project's files: path within its folder, and text.

    Args:
        plan: the firmware's numbers.
        origin: the run that they come from.
        majority: windows whose most frequent class is reported, odd; 1: each window's own.
        packet_samples: samples of a full packet between sender and receiver, 1 … 255; None: as many as a stride has,
            in at most 64 bytes of codes.

    Raises:
        ValueError: a plan that the sources do not compute, or an argument out of its range.
    """
    if majority < 1 or majority % 2 == 0:
        raise ValueError(f"majority={majority} must be odd, 1 or more")
    sizes = Sizes(plan)
    samples = sizes.packet_samples if packet_samples is None else packet_samples
    if not 1 <= samples <= 255:
        raise ValueError(f"packet_samples={samples} must be 1 to 255")
    files = sources()
    files["src/qs_model.h"] = model.header(sizes, origin, majority, samples)
    files["src/qs_model.c"] = model.network(sizes, origin)
    files["src/qs_tables.c"] = model.converter(sizes, origin)
    if isinstance(plan.converter, Codec):
        files["src/qs_recursion.h"] = recursion()
    files["README.md"] = readme(sizes, origin, majority, samples)
    files["test/qs_expected.h"] = expected.header(plan, sizes.coding.bits, majority)
    return files


def sources() -> dict[str, str]:
    """The hand-written files."""
    found: dict[str, str] = {}

    def collect(folder: Traversable, path: str) -> None:
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.is_dir():
                collect(entry, f"{path}{entry.name}/")
            else:
                found[path + entry.name] = entry.read_text(encoding="utf-8")

    collect(resources.files("qsense.chip.firmware").joinpath("c"), "")
    return found


def recursion() -> str:
    """`recursion.h`, with which training converts, under names of the firmware's own."""
    return f"#ifndef QS_RECURSION_H\n#define QS_RECURSION_H\n{arithmetic('qs')}\n#endif\n"
