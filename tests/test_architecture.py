"""Imports point one way (DESIGN): a package, and a part of one, imports only those below it."""

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


# What parts of a package do without, though it is of the same one.
DONE_WITHOUT = {
    "graph/database.py": {"graph.server", "graph.repositories"},
    "graph/repositories": {"graph.server", "graph.contents", "graph.backup"},
    "graph/server": {"graph.repositories", "graph.contents", "graph.backup"},
    "loader/formats": {"loader.files", "loader.staging", "loader.database"},
    "loader/files": {"loader.staging", "loader.database"},
    "loader/staging": {"loader.database"},
    "loader/database": {"loader.formats", "loader.files", "loader.staging"},
    "loader/synthesis": {"loader.formats", "loader.files", "loader.staging", "loader.database"},
}
PARTS = [(part, path) for part in DONE_WITHOUT for path in FILES if path.is_relative_to(ROOT / part)]


def imported_modules(file: Path) -> set[str]:
    """All that is named after `from` and `import`, and what these are in: of `a.b` also `a`."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {".".join(name.split(".")[:length]) for name in found for length in range(1, name.count(".") + 2)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_one_way(file: Path) -> None:
    package = file.relative_to(ROOT).parts[0]
    imported = imported_modules(file)
    assert imported & set(ALLOWED) <= {package, *ALLOWED[package]}
    if package != "graph":
        assert "neo4j" not in imported
    if file != ROOT / "graph" / "explore.py":
        assert "py2neo" not in imported


@pytest.mark.parametrize(("part", "file"), PARTS, ids=[str(file.relative_to(ROOT)) for _, file in PARTS])
def test_parts_of_a_package_import_what_is_below_them(part: str, file: Path) -> None:
    assert not imported_modules(file) & DONE_WITHOUT[part]
