"""A stored list is offered again only while the traversal would find the same."""

from collections.abc import Callable

import pytest

from common.times import utc_now
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.interactions import Interaction
from graph.repositories.recommendations import RecommendationList, Recommendations

GRAPH = """
CREATE (:Model {version: 'v1'}), (:Catalogue {name: 'movielens', model: 'v1'})
WITH 1 AS ignored
UNWIND range(1, 9) AS id
CREATE (:Movie {movieId: id, title: 'Movie ' + id, year: 1990 + id, ratingCount: id, ratingMean: 3.0,
                viewers: id, recent10: 1.0 * id, recent: 1.0 * id})
WITH collect(id) AS ids
UNWIND ids AS source
MATCH (a:Movie {movieId: source}), (b:Movie) WHERE b.movieId > source
CREATE (a)-[:SIMILAR {weight: 1.0 / b.movieId, rank: 1, version: 'v1'}]->(b)
WITH count(*) AS ignored
UNWIND [1, 2] AS userId
MATCH (movie:Movie {movieId: 1})
CREATE (:User {userId: userId})-[:RATED {rating: 5.0, at: localdatetime('2020-01-01T00:00:00')}]->(movie)
"""


@pytest.fixture
def stored(database: Database) -> RecommendationList:
    """User 1's list, stored."""
    database.run_text(GRAPH)
    click(database, 1)
    found = Recommendations(database).recommend_for_user(1, 5)
    Ingest(database).store_lists([("finish", found)])
    return found


def click(database: Database, user_id: int, movie_id: int = 2) -> None:
    item = Interaction("clicked", user_id, movie_id, utc_now(), f"{user_id} {movie_id}")
    Ingest(database).transact(lambda batch: batch.write_interactions([item]))


def test_it_is_the_traversals(database: Database, stored: RecommendationList) -> None:
    assert stored.based_on == 1
    assert Recommendations(database).get_current_list(1) == stored


def test_what_others_do_does_not_matter(database: Database, stored: RecommendationList) -> None:
    click(database, 2)
    assert Recommendations(database).get_current_list(1) == stored
    assert Recommendations(database).get_current_list(2) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda database: click(database, 1, 3),
        lambda database: Ingest(database).transact(lambda batch: batch.put_movie(9, "New", 2000, [], True)),
        lambda database: database.run_text("MATCH (c:Catalogue) SET c.model = 'v2'"),
        lambda database: database.run_text("MATCH (s:Sequence) SET s.value = s.value + 10000"),
    ],
    ids=["the user", "everybody", "the model", "too long ago"],
)
def test_it_does_not_outlive_a_change(
    database: Database, stored: RecommendationList, change: Callable[[Database], object]
) -> None:
    assert Recommendations(database).get_current_list(1) == stored
    change(database)
    assert Recommendations(database).get_current_list(1) is None


def test_it_does_not_claim_a_batch_of_which_only_the_number_can_be_read_yet(database: Database) -> None:
    database.run_text(GRAPH)
    click(database, 1)
    database.run_text("MATCH (s:Sequence) SET s.value = s.value + 1")
    assert Recommendations(database).recommend_for_user(1, 5).based_on == 1


def test_what_came_between_the_traversal_and_the_store_counts(database: Database) -> None:
    database.run_text(GRAPH)
    found = Recommendations(database).recommend_for_user(1, 5)
    click(database, 1)
    Ingest(database).store_lists([("finish", found)])
    assert Recommendations(database).get_current_list(1) is None
