"""Schema versions: older databases are brought up to date, newer ones are refused by all that starts."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from graph.database import Database
from graph.schema import MIGRATIONS, SCHEMA_VERSION, SchemaError, apply_schema
from graph.settings import ROOT, Settings
from scripts.sandbox import environment_of
from service.app import create_app
from stream.worker import run_worker


def version(database: Database) -> int | None:
    [row] = database.run_text("MATCH (c:Catalogue) RETURN c.schemaVersion AS version")
    return row["version"]


def test_migrations_are_numbered_without_gaps() -> None:
    assert sorted(MIGRATIONS) == list(range(2, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("before", [None, 1])
def test_an_older_database_is_migrated_and_again_changes_nothing(database: Database, before: int | None) -> None:
    database.run_text(
        "CREATE (:Catalogue {name: 'movielens', schemaVersion: $before}), (:Model {version: 'v', current: true})",
        before=before,
    )
    for _ in range(2):
        apply_schema(database)
        assert version(database) == SCHEMA_VERSION
        [row] = database.run_text("MATCH (c:Catalogue), (m:Model) RETURN c.model AS model, m.current AS current")
        assert (row["model"], row["current"]) == ("v", None)


def test_an_empty_database_needs_no_version(database: Database) -> None:
    apply_schema(database)
    assert database.run_text("MATCH (c:Catalogue) RETURN c") == []


def test_a_newer_schema_is_refused_by_all_that_starts(database: Database, settings: Settings, tmp_path: Path) -> None:
    database.run_text("CREATE (:Catalogue {name: 'netflix-prize', schemaVersion: $version})", version=99)
    with pytest.raises(SchemaError, match="schema version 99"):
        apply_schema(database)
    with pytest.raises(SchemaError, match="schema version 99"):
        run_worker(settings, threading.Event())
    app = create_app(settings)
    ready = app.test_client().get("/health/ready")
    app.extensions["recommender"].database.close()
    assert ready.status_code == 503
    assert "version 99" in ready.get_json()["parts"]["neo4j"]["detail"]
    (tmp_path / "combined_data_1.txt").write_text("1:\n7,5,2005-01-01\n")
    for command in (
        ["loader", "add", str(tmp_path)],
        ["loader", "bulk", str(tmp_path)],
        ["engine", "fit"],
    ):
        environment = environment_of(settings)
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode, "schema version 99" in done.stderr + done.stdout) == (1, True), (command, done)
    assert version(database) == 99
