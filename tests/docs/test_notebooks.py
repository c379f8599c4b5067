"""The notebooks of the documentation run, on little data, and are kept with what they print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import ROOT

import qsense

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
# In place of the cell that is tagged "parameters".
LITTLE = 'settings = ["trainer=smoke", "data.dataset.subjects=2", "data.dataset.minutes=4"]\n'
LITTLE += 'quantizers = ["none", "gamma"]'


def read(file: Path) -> Any:
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(file, as_version=4)


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_on_little_data(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(Path(qsense.__file__).parents[1]))
    notebook = read(file)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = LITTLE
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_is_kept_with_what_it_prints_and_small(file: Path) -> None:
    cells = [cell for cell in read(file).cells if cell.cell_type == "code"]
    assert any(cell.outputs for cell in cells)
    assert all(cell.execution_count for cell in cells)
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
    assert file.stat().st_size < 400_000


def test_there_are_two_notebooks() -> None:
    assert [file.stem for file in NOTEBOOKS] == ["converter", "train"]
