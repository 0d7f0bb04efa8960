"""What counts as a title, and blank ones of earlier versions."""

import pytest

from graph.database import Database
from graph.schema import apply_schema
from graph.titles import title_of
from loader.staging.reader import movie_frame

BLANKS = ["", " ", "\t \n", "\u00a0", "\u2003\u3000", "\u200b", "\u2028"]


@pytest.mark.parametrize("text", [None, *BLANKS], ids=ascii)
def test_what_shows_nothing_is_no_title(text: str | None) -> None:
    assert title_of(text) is None


@pytest.mark.parametrize("text", ["M", " M ", "…", "0", "愛", "\u200bM"], ids=ascii)
def test_any_sign_that_shows_makes_a_title(text: str) -> None:
    assert title_of(text) == text


def test_a_load_takes_blank_titles_for_none() -> None:
    frame = movie_frame([(number, text, None, []) for number, text in enumerate([*BLANKS, "M"], start=1)])
    assert frame["title"].to_list() == [*[None for _ in BLANKS], "M"]


def test_blank_titles_of_earlier_versions_go(database: Database) -> None:
    database.run_text("CREATE (:Catalogue {name: 'movielens', schemaVersion: 6})")
    rows = [[number, text] for number, text in enumerate([*BLANKS, "M", " M"], start=1)]
    database.run_text("UNWIND $rows AS row CREATE (:Movie {movieId: row[0], title: row[1]})", rows=rows)
    apply_schema(database)
    found = database.run_text("MATCH (m:Movie) WHERE m.title IS NOT NULL RETURN m.title AS title ORDER BY title")
    assert [row["title"] for row in found] == [" M", "M"]
