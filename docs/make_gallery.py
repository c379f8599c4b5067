"""Make the pictures of `gallery.md` by the commands that it shows, and run the notebooks: `make gallery`.

Open it to change how pictures are made small. A new one needs no change here: a section of the page has its commands,
the picture, and where they write it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from PIL import Image

DOCS = Path(__file__).parent
MOST = 960, 1000  # pixels of width and height
ENTRY = re.compile(r"```bash\n(?P<commands>[^`]*)```\s*!\[[^]]*\]\((?P<picture>[^)]*)\)\n<!-- from (?P<source>\S+) -->")


class Entry(NamedTuple):
    """A picture of the gallery.

    Args:
        commands: lines of a shell.
        picture: file below `docs/`.
        source: pattern of the file that the commands write.
    """

    commands: str
    picture: str
    source: str


def entries() -> list[Entry]:
    """All pictures of the gallery, in its order."""
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    return [Entry(**found.groupdict()) for found in ENTRY.finditer(page)]


def shrink(source: Path, picture: Path) -> None:
    """Write a picture for the page: not large, and of 256 colours."""
    picture.parent.mkdir(exist_ok=True)
    with Image.open(source) as image:
        small = image.convert("RGB")
    small.thumbnail(MOST, Image.Resampling.LANCZOS)
    small.quantize(256).save(picture, optimize=True)


def make(entry: Entry, folder: Path) -> None:
    """Run the commands in a folder, where finished runs are kept, and take over their picture.

    Raises:
        FileNotFoundError: they have not written it.
    """
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-ec", entry.commands], cwd=folder, env=environment, check=True)
    found = sorted(folder.glob(entry.source), key=lambda file: file.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"{entry.source}: none was written by\n{entry.commands}")
    shrink(found[-1], DOCS / entry.picture)


def run_notebook(file: Path, folder: Path) -> None:
    """Run a notebook in a folder, and keep what it prints and draws."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
    nbformat.write(notebook, file)


def main() -> None:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description="Make the gallery's pictures and run the notebooks.")
    parser.add_argument("names", nargs="*", help="of pictures and notebooks, such as transfer (default: all)")
    parser.add_argument("--folder", type=Path, default=Path("build/gallery"), help="for runs (default: build/gallery)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for entry in entries():
        if not options.names or Path(entry.picture).stem in options.names:
            print(f"== {entry.picture}", flush=True)
            make(entry, options.folder)
    for notebook in sorted((DOCS / "notebooks").glob("*.ipynb")):
        if not options.names or notebook.stem in options.names:
            print(f"== {notebook.name}", flush=True)
            run_notebook(notebook, options.folder)


if __name__ == "__main__":
    main()
