"""`python -m qsense COMMAND …` is the command `qsense`."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """The command line."""
    name = sys.argv[1]
    sys.argv = [f"qsense {name}", *sys.argv[2:]]
    module = "qsense.train" if name == "train" else f"qsense.commands.{name}"
    sys.exit(importlib.import_module(module).main())


if __name__ == "__main__":
    main()
