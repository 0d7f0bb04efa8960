"""What our code imports is declared: what runs in requirements.in, what compares or tests in files of their own."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from common.settings import ROOT

RUNNING = ("common", "graph", "engine", "loader", "stream", "service")
OURS = {*RUNNING, "scripts", "tests", *(file.stem for file in (ROOT / "tests").rglob("*.py"))}
# Imported when a model is compared, and not before (tests/engine/test_packages.py).
COMPARING = {"keras", "jax", "implicit", "surprise"}
# Not installed with the tests, so that what provides them cannot be looked up.
ABSENT = {"keras": ["keras"], "jax": ["jax"]}


def declared(*names: str) -> set[str]:
    """Distributions that some .in files name."""
    lines = [line for name in names for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    return {normalised(found[0]) for line in lines if (found := re.match(r"[A-Za-z0-9][\w.-]*", line))}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(*folders: str) -> set[str]:
    """Modules of others that the code of some folders imports, wherever in a file."""
    found = set()
    for file in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - OURS


def undeclared(modules: set[str], *files: str) -> set[str]:
    """Modules that no distribution in the .in files provides."""
    providers = {**ABSENT, **packages_distributions()}
    known = declared(*files)
    return {module for module in modules if not known & set(map(normalised, providers.get(module, [])))}


def test_what_runs_is_declared() -> None:
    assert undeclared(imported(*RUNNING) - COMPARING, "requirements.in") == set()


def test_what_compares_is_declared_and_not_installed_to_run() -> None:
    assert undeclared(COMPARING, "requirements-evaluation.in") == set()
    assert declared("requirements.in") & {"keras", "jax", "implicit", "scikit-surprise"} == set()


def test_what_tests_is_declared() -> None:
    assert (
        undeclared(imported("scripts", "tests") - {"keras", "jax"}, "requirements.in", "requirements-dev.in") == set()
    )


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-evaluation"])
def test_what_is_declared_is_pinned(name: str) -> None:
    pinned = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in pinned
    assert declared(f"{name}.in") <= {normalised(line.split("==")[0]) for line in pinned.splitlines()}


def test_the_pythons_that_ran_the_tests_are_named_alike() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = [classifier.rpartition(" ")[2] for classifier in project["classifiers"]]
    assert f"the tests run on {' and '.join(versions)}" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert project["requires-python"] == f">={versions[0]}"
