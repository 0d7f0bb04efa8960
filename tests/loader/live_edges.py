"""One live edge of each kind, and how to read them."""

from datetime import datetime

from common.settings import Settings
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.ingest_transaction import IngestTransaction
from graph.repositories.interactions import Interaction, Viewing
from graph.repositories.recommendations import Recommendations

NOON = datetime(2026, 1, 1, 12)
LATER = datetime(2026, 1, 2, 12)
LIVE = (
    "MATCH (u)-[e]->(m) WHERE e.eventId IS NOT NULL OR e.batchId IS NOT NULL "
    "RETURN type(e), u.userId, m.movieId, m.title, properties(e)"
)


def let_one_of_each_kind_happen(settings: Settings) -> None:
    """One live edge of each kind, one stored list, and a position."""

    def happen(batch: IngestTransaction) -> None:
        batch.create_nodes({900: ("Only live", 2020)}, {1, 2, 500})
        batch.create_viewings(
            [
                Viewing("open", 500, 900, "feed", NOON, NOON, polls_since_seen=1),
                Viewing("finished", 1, 900, "api", NOON, LATER, LATER),
            ]
        )
        batch.write_interactions(
            [
                Interaction("rated", 1, 2, NOON, "newer", 1.0),
                Interaction("rated", 500, 900, NOON, "new", 4.0),
                Interaction("liked", 2, 3, NOON, "like", 1),
                Interaction("listed", 2, 4, NOON, "list"),
                Interaction("clicked", 2, 5, NOON, "click"),
            ]
        )
        batch.lock_offset("log", 0)
        batch.move_offset("log", 0, 17)

    with Database.from_settings(settings) as database:
        Ingest(database).transact(happen)
        Ingest(database).store_lists([("batch", Recommendations(database).recommend_for_user(1))])
