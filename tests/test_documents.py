"""What the documents say is what the product has."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from apps import open_app
from conftest import RunningSystem

from common.settings import ROOT, Settings
from scripts.sandbox import environment_of
from scripts.settings_table import renew_table

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIGURATIONS = [ROOT / name for name in ("docker-compose.yml", "Dockerfile", "Makefile")]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = "common|graph|engine|loader|stream|service|scripts|tests|cypher|docs"
COMMANDS = sorted(
    {
        line.strip()
        for path in DOCUMENTS
        for line in re.findall(
            r"python -m ((?:graph|engine|loader|stream|service|scripts\.bench) [^`#&\n]*)",
            path.read_text(encoding="utf-8"),
        )
    }
)


def test_the_table_of_settings_says_what_the_settings_are() -> None:
    assert renew_table(README) == README, "run `python -m scripts.settings_table`"


def test_every_setting_that_is_named_exists() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*DOCUMENTS, *CONFIGURATIONS)]
    named = {name for text in texts for name in re.findall(r"\b(?:NEO4J|RECOMMENDER)_[A-Z0-9_]+\b", text)}
    assert named - {"NEO4J_AUTH"} == {field.alias for field in Settings.model_fields.values()}  # that one is Neo4j's


def test_every_path_is_in_the_rest_table() -> None:
    with open_app(Settings()) as app:
        pass
    told = set(
        re.findall(
            r"`(?:GET |POST |PUT |DELETE )?(/[^?`\s]*)[^`]*`", README.split("## REST")[1].split("## Configuration")[0]
        )
    )
    assert {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path) for path in app.paths} <= told
    rules = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    assert told <= rules


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_targets_and_paths_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)):
        planned = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False)  # noqa: S607
        assert planned.returncode == 0, target
    for path in set(re.findall(rf"`((?:{FOLDERS})/[\w./*-]*)`", text)):
        assert list(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_its_options_exist(line: str) -> None:
    module, *words = line.split()
    command = importlib.import_module(module if "." in module else f"{module}.__main__").main
    names = [word for word in words if re.fullmatch("[a-z-]+", word) and not word.startswith("--")]
    while isinstance(command, click.Group):
        command = command.commands[names.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_call_is_answered(system: RunningSystem) -> None:
    """The README's calls, as they stand there, but for the port."""
    lines = README.replace("\\\n", "")
    calls = sorted(set(re.findall(r"\bcurl (?!-N)[^|`\n]*", lines)))
    assert len(calls) >= 4
    for call in calls:
        command = ["curl", "--fail", *shlex.split(call.replace("http://127.0.0.1:8000", system.url))[1:]]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert answer.returncode == 0, call
        assert json.loads(answer.stdout)


def test_the_python_of_the_documents_runs(system: RunningSystem) -> None:
    blocks = [block for path in DOCUMENTS for block in re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL)]
    assert blocks
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], cwd=ROOT, env=environment_of(system.settings), check=True)


def test_nothing_is_left_to_fill_in() -> None:
    assert [path.name for path in DOCUMENTS if "@@" in path.read_text(encoding="utf-8")] == []
