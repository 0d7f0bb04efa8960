"""docs/explore.ipynb runs from the first cell to the last on the sample, and what is stored of it is small."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import RunningSystem
from nbclient import NotebookClient

from graph.settings import ROOT
from scripts.sandbox import environment_of

NOTEBOOK = ROOT / "docs" / "explore.ipynb"
LARGEST = 300_000


def texts(notebook: Any) -> str:
    """All that the cells answered as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("data", {}).get("text/plain", "") for output in outputs)


def test_the_notebook_runs(system: RunningSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(system.settings).items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "docs")}}).execute()
    answers = texts(notebook)
    assert "The Shawshank Redemption" in answers
    assert "ndcg@20" in answers
    pictures = [
        kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})
    ]
    assert pictures.count("image/png") == 4
    assert not [output for cell in notebook.cells for output in cell.get("outputs", []) if "stderr" in output.values()]


def test_what_is_stored_is_small_and_whole() -> None:
    assert Path(NOTEBOOK).stat().st_size < LARGEST
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(cell.outputs for cell in notebook.cells if cell.cell_type == "code" and "import" not in cell.source)
