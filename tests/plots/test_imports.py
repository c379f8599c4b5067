"""What pictures need."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import qsense.plots


def test_pictures_need_neither_pyplot_nor_torch() -> None:
    names = [f"qsense.plots.{module.name}" for module in pkgutil.iter_modules(qsense.plots.__path__)]
    assert {"qsense.plots.confusion", "qsense.plots.scene", "qsense.plots.weights"} <= set(names)
    program = f"import sys, {', '.join(names)}; print({{'torch', 'matplotlib.pyplot'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
