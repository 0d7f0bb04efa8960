"""Schema versions: older databases are brought up to date, newer ones are refused by all that starts."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import join_probes, wait_until

from common.budget import Budget
from common.settings import ROOT, Settings
from graph.database import Database
from graph.errors import ContentRefusedError, DatabaseUnavailableError
from graph.schema import MIGRATIONS, SCHEMA_VERSION, SchemaError, apply_schema
from scripts.sandbox import environment_of
from service.app import create_app
from service.components import components_of
from stream.worker import run_worker


def version(database: Database) -> int | None:
    [row] = database.run_text("MATCH (c:Catalogue) RETURN c.schemaVersion AS version")
    return row["version"]


def model_part(settings: Settings) -> dict[str, Any]:
    """What /health/ready of a service that is not ready says of the model, once Neo4j answers it in time."""
    app = create_app(settings)
    parts: dict[str, Any] = {}

    def neo4j_answers() -> bool:
        ready = app.test_client().get("/health/ready")
        assert ready.status_code == 503
        parts.update(ready.get_json()["parts"])
        return bool(parts["neo4j"]["ready"])

    wait_until(neo4j_answers)
    join_probes()
    components_of(app).close()
    part: dict[str, Any] = parts["model"]
    return part


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
        assert (row["model"], row["current"]) == ("v", 0.0)  # a mark of old; what is current counts nothing now


def test_a_migration_that_fails_is_named(database: Database) -> None:
    database.run_text(
        "CREATE (:Catalogue {name: 'a'}), (:Catalogue {name: 'b'}), (:Model {version: 'v', current: true})"
    )
    database.run_text("CREATE CONSTRAINT hindering FOR (catalogue:Catalogue) REQUIRE catalogue.model IS UNIQUE")
    try:
        with pytest.raises(ContentRefusedError, match="migration 002_model_in_catalogue failed: Neo4j refused"):
            apply_schema(database)
    finally:
        database.run_text("DROP CONSTRAINT hindering")
    assert database.run_text("MATCH (c:Catalogue) WHERE c.schemaVersion IS NOT NULL RETURN c") == []


def test_a_migration_that_neo4j_does_not_answer_can_be_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run_text("CREATE (:Catalogue {name: 'movielens'})")
    with Database("bolt://127.0.0.1:9", "neo4j", "none", budget=Budget.of(2.0)) as away:
        monkeypatch.setattr("graph.schema._run_file", lambda _, name: "002" in name and away.read("get_catalogue"))
        with pytest.raises(DatabaseUnavailableError, match="migration 002_model_in_catalogue failed: Neo4j does not"):
            apply_schema(database)


def test_an_older_schema_is_told_with_what_migrates_it(database: Database, settings: Settings) -> None:
    """Its model is not found, which must not send anybody to load anew."""
    database.run_text(
        "CREATE (:Catalogue {name: 'movielens', schemaVersion: 1}), (:Model {version: 'v', current: true})"
    )
    told = (
        f"the database has schema version 1, this program needs {SCHEMA_VERSION}: start the worker, which migrates it"
    )
    assert model_part(settings) == {"ready": False, "detail": told}


def test_an_empty_database_needs_no_version(database: Database) -> None:
    apply_schema(database)
    assert database.run_text("MATCH (c:Catalogue) RETURN c") == []


def test_a_newer_schema_is_refused_by_all_that_starts(database: Database, settings: Settings, tmp_path: Path) -> None:
    database.run_text("CREATE (:Catalogue {name: 'netflix-prize', schemaVersion: $version})", version=99)
    with pytest.raises(SchemaError, match="schema version 99"):
        apply_schema(database)
    with pytest.raises(SchemaError, match="schema version 99"):
        run_worker(settings, threading.Event())
    assert "version 99" in model_part(settings)["detail"]
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
