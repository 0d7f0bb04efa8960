"""docs/explore.ipynb runs from the first cell to the last on the sample, and what is stored of it is small."""

import nbformat
import pytest
from conftest import RunningSystem
from nbclient import NotebookClient

from common.settings import ROOT
from scripts.sandbox import environment_of

NOTEBOOK = ROOT / "docs" / "explore.ipynb"
LARGEST = 300_000
PLOTS = 4


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """What the cells answered."""
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def check(notebook: nbformat.NotebookNode) -> None:
    """Everything is drawn and told, and nothing is complained about."""
    answers = [output.get("data", {}) for output in outputs(notebook)]
    texts = "\n".join(answer.get("text/plain", "") for answer in answers)
    assert "The Shawshank Redemption" in texts
    assert "ndcg@10 of the next movie" in texts
    assert sum("image/png" in answer for answer in answers) == PLOTS
    assert [output for output in outputs(notebook) if output.output_type in ("stream", "error")] == []


def test_the_notebook_runs(system: RunningSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(system.settings).items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    check(notebook)


def test_what_is_stored_is_whole_and_small() -> None:
    check(nbformat.read(NOTEBOOK, as_version=4))
    assert NOTEBOOK.stat().st_size < LARGEST
