"""What the documents say is what the product has."""

import re
import subprocess
from pathlib import Path

import pytest

from graph.settings import ROOT, Settings
from service.app import create_app

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_setting_is_in_the_configuration_table() -> None:
    table = dict(re.findall(r"^\| `((?:NEO4J|RECOMMENDER)_\w+)` \| [^|]+ \| ([^|]+) \|$", README, re.MULTILINE))
    known = {info.alias or name: info.description for name, info in Settings.model_fields.items()}
    assert table == known


def test_every_path_is_in_the_rest_table() -> None:
    app = create_app(Settings())
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
def test_targets_and_commands_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z-]+)`?", text)):
        planned = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False)  # noqa: S607
        assert planned.returncode == 0, target
    for module, command in set(re.findall(r"python -m (graph|engine|loader|stream|scripts\.bench) (\w+)", text)):
        source = (ROOT / module.replace(".", "/")).with_suffix(".py")
        source = source if source.exists() else ROOT / module / "__main__.py"
        text = source.read_text(encoding="utf-8")
        assert f"def {command}(" in text or f'command("{command}")' in text, f"{module} {command}"


def test_nothing_is_left_to_fill_in() -> None:
    assert [path.name for path in DOCUMENTS if "@@" in path.read_text(encoding="utf-8")] == []
