"""Imports point one way (DESIGN): a package may import only those below it."""

import ast
from pathlib import Path

import pytest

from common.settings import ROOT

ALLOWED = {
    "common": set(),
    "graph": {"common"},
    "engine": {"common", "graph"},
    "stream": {"common", "graph"},
    "loader": {"common", "engine", "graph"},
    "service": {"common", "stream", "graph"},
}
FILES = [path for package in ALLOWED for path in (ROOT / package).rglob("*.py")]


def imported_packages(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_one_way(file: Path) -> None:
    package = file.relative_to(ROOT).parts[0]
    imported = imported_packages(file)
    assert imported & set(ALLOWED) <= {package, *ALLOWED[package]}
    if package != "graph":
        assert "neo4j" not in imported
    if file != ROOT / "graph" / "explore.py":
        assert "py2neo" not in imported
