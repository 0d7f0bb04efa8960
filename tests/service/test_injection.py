"""Cypher sent as data stays data: the texts that reach the driver are those of `cypher/`, and reads change nothing."""

import random
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import neo4j
import pytest
from flask.testing import FlaskClient
from small_catalogue import SMALL_CATALOGUE

from common.settings import Settings
from graph.database import Database
from graph.queries import FOLDER
from graph.repositories.movies import Movies
from service.app import create_app
from service.components import KEY

# How many strings: few each time, many in `make test-slow`.
STRINGS = pytest.mark.parametrize("strings", [50, pytest.param(1000, marks=pytest.mark.slow)])
# What a batch leaves: which events are undone, and whom it was about.
TOLD = {"Undone", "Change"}
TEXTS = {path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.cypher")}
OPENINGS = [
    "",
    "'",
    '"',
    "`",
    "\\'",
    "')",
    '"})',
    "1",
    "\u02b9",
    "\\u0027",
    "*/",
    "//",
    "${",
    "$userId",
    "%27",
    "\x00'",
    "\n",
]
CLAUSES = [
    "MATCH (n) DETACH DELETE n",
    "CREATE (:Stolen {by: 'me'})",
    "CALL db.labels() YIELD label RETURN label",
    "LOAD CSV FROM 'http://127.0.0.1:1/' AS row RETURN row",
    "CALL { MATCH (n) DELETE n } IN TRANSACTIONS",
    "SET movie.title = 'x'",
    "REMOVE movie.available",
    "DROP CONSTRAINT user_id",
    "RETURN 1 UNION MATCH (n) RETURN n",
    "OR 1 = 1",
    "CALL apoc.cypher.run('MATCH (n) DELETE n', {})",
    "title:* OR *:*",
]
JOINTS = [" ", "; ", " WITH 1 AS one ", "\n", " } ", " // ", "/**/", "\t", " RETURN 1 ; ", "\u00a0", "\u2028"]
CLOSINGS = ["", "//", "/*", "'", '"', "`", ";", " //'", "\\", " RETURN 1", "\x00"]

Call = Callable[[FlaskClient, str], Any]
MOVIE = "/v1/movies/5"
READS: dict[str, Call] = {
    "path userId": lambda client, text: client.get(f"/v1/users/{quote(text, safe='')}/recommendations"),
    "path movieId": lambda client, text: client.get(f"/v1/movies/{quote(text, safe='')}/similar"),
    "path explained movieId": lambda client, text: client.get(
        f"/v1/users/1/recommendations/{quote(text, safe='')}/explanation"
    ),
    "query": lambda client, text: client.get("/v1/movies", query_string={"query": text[:200]}),
    **{
        f"query {name}": lambda client, text, name=name: client.get(  # type: ignore[misc]
            "/v1/users/1/recommendations", query_string={name: text[:50]}
        )
        for name in ("limit", "offset", "exclude", "genre", "yearFrom", "yearTo", "diversity", "current", "stars")
    },
    "query movies": lambda client, text: client.get("/v1/users/1/predictions", query_string={"movies": text}),
    "query name": lambda client, text: client.get("/v1/movies/popular", query_string={text: "1"}),
    "query days": lambda client, text: client.get("/v1/stats/feedback", query_string={"days": text}),
    "session genre": lambda client, text: client.post(
        "/v1/sessions/recommendations", json={"movieIds": [1], "genre": text[:50]}
    ),
    "session name": lambda client, text: client.post("/v1/sessions/recommendations", json={"movieIds": [1], text: 1}),
    "session movieIds": lambda client, text: client.post("/v1/sessions/recommendations", json={"movieIds": [text]}),
    "batch genre": lambda client, text: client.post("/v1/recommendations", json={"userIds": [1], "genre": text[:50]}),
    "batch userIds": lambda client, text: client.post("/v1/recommendations", json={"userIds": [text]}),
}
WRITES: dict[str, Call] = {
    "path eventId": lambda client, text: client.delete(f"/v1/events/{quote(text, safe='')}"),
    "event eventId": lambda client, text: client.post(
        "/v1/events", json={"userId": 1, "movieId": 5, "type": "clicked", "eventId": text.replace(" ", "+")}
    ),
    "event type": lambda client, text: client.post("/v1/events", json={"userId": 1, "movieId": 5, "type": text}),
    "event at": lambda client, text: client.post(
        "/v1/events", json={"userId": 1, "movieId": 5, "type": "clicked", "at": text}
    ),
    "movie title": lambda client, text: client.put(MOVIE, json={"title": text}),
    "movie genres": lambda client, text: client.put(MOVIE, json={"title": "x", "genres": [text]}),
}


def draw_payloads(seed: str, strings: int) -> list[str]:
    """The same strings each time, no two alike."""
    rng = random.Random(seed)
    drawn: dict[str, None] = {}
    while len(drawn) < strings:
        clauses = rng.choices(CLAUSES, k=rng.randint(1, 3))
        drawn[rng.choice(OPENINGS) + rng.choice(JOINTS) + rng.choice(JOINTS).join(clauses) + rng.choice(CLOSINGS)] = (
            None
        )
    return list(drawn)


def read_content(database: Database) -> set[str]:
    """Everything in the graph as text."""
    rows = database.run_text(
        """
        MATCH (n) RETURN toString(id(n)) + reduce(s = '', l IN labels(n) | s + l) AS what, properties(n) AS told
        UNION ALL
        MATCH (a)-[r]->(b) RETURN toString(id(a)) + type(r) + toString(id(b)) AS what, properties(r) AS told
        """
    )
    return {f"{row['what']} {sorted(row['told'].items(), key=lambda item: item[0])}" for row in rows}


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[FlaskClient]:
    database.run_text(SMALL_CATALOGUE)
    app = create_app(settings.model_copy(update={"open": True, "deadline": 10}))
    yield app.test_client()
    app.extensions[KEY].close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """All texts that are handed to the driver."""
    texts: set[str] = set()

    def record(kind: type[neo4j.ManagedTransaction] | type[neo4j.Session]) -> None:
        run = kind.run

        def recorded(self: Any, query: Any, *arguments: Any, **parameters: Any) -> Any:
            texts.add(query.text if isinstance(query, neo4j.Query) else query)
            return run(self, query, *arguments, **parameters)

        monkeypatch.setattr(kind, "run", recorded)

    record(neo4j.ManagedTransaction)
    record(neo4j.Session)
    return texts


@STRINGS
@pytest.mark.parametrize("name", READS)
def test_what_is_read_with_cypher_in_it_changes_nothing(
    client: FlaskClient, database: Database, sent: set[str], name: str, strings: int
) -> None:
    before = read_content(database)
    sent.clear()
    assert client.get("/v1/users/1/recommendations").status_code == 200
    for payload in draw_payloads(name, strings):
        assert READS[name](client, payload).status_code in {200, 400, 404, 422}, payload
    assert sent
    assert sent <= TEXTS
    assert read_content(database) == before


@STRINGS
@pytest.mark.parametrize("name", WRITES)
def test_what_is_written_with_cypher_in_it_is_stored_as_it_is(
    client: FlaskClient, database: Database, sent: set[str], name: str, strings: int
) -> None:
    assert client.post("/v1/events", json={"userId": 1, "movieId": 5, "type": "clicked"}).status_code == 200
    labels = "MATCH (n) RETURN labels(n)[0] AS label, count(*) AS count"
    counts = {row["label"]: row["count"] for row in database.run_text(labels) if row["label"] not in TOLD}
    sent.clear()
    for payload in draw_payloads(name, strings):
        answer = WRITES[name](client, payload)
        assert answer.status_code in {200, 404, 422}, payload
        if name == "movie title" and answer.status_code == 200:
            stored = Movies(database).get_movie(5)
            assert stored is not None
            assert stored.title == payload
    assert sent <= TEXTS
    after = {row["label"]: row["count"] for row in database.run_text(labels)}
    assert {label: count for label, count in after.items() if label not in TOLD} == counts
