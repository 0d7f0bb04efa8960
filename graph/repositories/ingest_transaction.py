"""One batch being applied to the graph, in one transaction.

All writers take the lock of the sequence first, so they apply one after the other and what one reads cannot change
before it writes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from neo4j import Record

from common.times import NEVER, moment_after, text_of, utc_now
from graph.database import Transaction, native
from graph.recency import COUNTED_FROM
from graph.repositories.interactions import Interaction, KnownEvent, Viewing
from graph.repositories.recency import Recency
from graph.repositories.recommendations import RecommendationList, store_recommendations
from graph.titles import title_of

MARK_QUERIES = {"liked": "write_likes", "listed": "write_listings", "clicked": "write_clicks"}
BY_USER = attrgetter("user_id", "movie_id")
# Notes of whom a batch was about: this many batches back, and for so many users by name.
KEPT_CHANGES = 1000
NAMED_USERS = 500
# Movies of which it is known how many events were refused.
NOTED_MOVIES = 10_000


@dataclass(frozen=True)
class Deletion:
    """When a movie was deleted, and whether it was put back since; what happened until then stays out all the same."""

    at: datetime
    lifted: bool


class IngestTransaction:
    """One batch being applied."""

    def __init__(self, transaction: Transaction, hit_window: timedelta) -> None:
        self._transaction = transaction
        self._recency = Recency(transaction)
        self._hit_window = hit_window
        [record] = transaction.run("lock_sequence")
        self.sequence: int = record["value"] + 1
        self._has_erasures: bool = record["erasures"]
        self._has_deletions: bool = record["deletions"]
        self._has_undone: bool = record["undone"]
        self.changed = False
        self._about: set[int] | None = set()

    def note_change(self, user_ids: set[int] | None) -> None:
        """This batch changes something about these users, or (None) about what everybody is answered."""
        self.changed = True
        self._about = None if user_ids is None or self._about is None else self._about | user_ids

    def lock_offset(self, source: str, partition: int) -> int:
        """The next offset to apply, locked until this batch ends."""
        [record] = self._transaction.run("lock_offset", source=source, partition=partition)
        return int(record["offset"])

    def get_catalogue(self) -> str | None:
        """Name of the loaded catalogue, or None."""
        for record in self._transaction.run("get_catalogue"):
            return str(record["name"])
        return None

    def move_offset(self, source: str, partition: int, offset: int) -> None:
        """Remember how far the log is applied, together with what was applied."""
        self._transaction.run("move_offset", source=source, partition=partition, offset=offset, sequence=self.sequence)

    def read_viewings(
        self, user_ids: set[int], since: datetime, source: str | None, part: tuple[int, int] = (0, 1)
    ) -> list[Viewing]:
        """Viewings that events of these users, the earliest at `since`, can change or tell about.

        With a source, also all its open ones; `part`: those of the users of one partition, and how many there are.
        """
        [record] = self._transaction.run(
            "read_viewings",
            userIds=sorted(user_ids),
            since=text_of(since),
            source=source,
            partition=part[0],
            partitions=part[1],
        )
        return [Viewing.from_row(row) for row in record["viewings"]]

    def create_nodes(
        self,
        movies: Mapping[int, tuple[str | None, int | None]],
        user_ids: set[int],
        heard: Mapping[int, datetime] = MappingProxyType({}),
    ) -> None:
        """Make users and movies (id to title and year) that are not there yet; `heard`: when a movie was heard of."""
        rows = [
            {"movieId": key, "title": title_of(title), "year": year, "at": text_of(heard.get(key))}
            for key, (title, year) in sorted(movies.items())
        ]
        self._transaction.run("create_nodes", userIds=sorted(user_ids), movies=rows)

    def create_viewings(self, viewings: list[Viewing]) -> None:
        """Write viewings that are new, and mark the recommendations they followed as hits."""
        if not viewings:
            return
        rows = [
            viewing.to_row() | {"since": text_of(viewing.started_at - self._hit_window)}
            for viewing in sorted(viewings, key=BY_USER)
        ]
        self._recency.write_viewings("create_viewings", rows, self.sequence)
        self.note_change({viewing.user_id for viewing in viewings})

    def update_viewings(self, viewings: list[Viewing], told: set[str]) -> None:
        """Bring viewings up to date; `told`: event ids of those that followers must hear of."""
        rows = [viewing.to_row() | {"told": viewing.event_id in told} for viewing in sorted(viewings, key=BY_USER)]
        if rows:
            self._recency.write_viewings("update_viewings", rows, self.sequence)
            self.note_change({viewing.user_id for viewing in viewings})

    def write_interactions(self, interactions: list[Interaction]) -> set[str]:
        """Write interactions that are newer than what is stored; of several of one kind and pair the latest counts.

        Returns the event ids of those that were written.

        Of ratings the last but one is kept, too, however they come: taking back the last brings it back.
        """
        latest: dict[tuple[str, int, int], Interaction] = {}
        replaced = []
        written: set[str] = set()
        for item in sorted(interactions, key=lambda item: (item.at, item.event_id)):
            key = item.kind, item.user_id, item.movie_id
            if item.kind == "rated" and key in latest:
                replaced.append(latest[key].to_row())
            latest[key] = item
            if item.kind == "rated" and (item.value or 0) >= COUNTED_FROM:
                self._recency.see(item.at)
        for kind in ("rated", *MARK_QUERIES):
            if rows := [latest[key].to_row() for key in sorted(latest) if key[0] == kind]:
                found = self._write(kind, rows)
                if found:
                    self.note_change({row["userId"] for row in rows})
                if kind == "rated" and len(found) < len(rows):
                    replaced += rows
                written |= found
        if replaced:
            self._transaction.run("keep_replaced_ratings", rows=replaced)
        return written

    def _write(self, kind: str, rows: list[dict[str, Any]]) -> set[str]:
        """Event ids of the rows that were written."""
        if kind == "rated":
            pairs = self._recency.write_ratings(rows)
            return {row["eventId"] for row in rows if (row["userId"], row["movieId"]) in pairs}
        [record] = self._transaction.run(MARK_QUERIES[kind], rows=rows)
        return set(record["written"])

    def undo_events(self, event_ids: list[str]) -> int:
        """Take back events, those that are yet to come included; returns how many edges that took, now or before."""
        if not event_ids:
            return 0
        owners = {key: known.user_id for key, known in self.find_known_events(event_ids).items()}
        rows = [{"eventId": event_id, "userId": owners.get(event_id)} for event_id in event_ids]
        [before] = self._transaction.run("write_undone", rows=rows)
        self._has_undone = True
        removed = 0
        found = self._transaction.run("find_undone_pairs", eventIds=event_ids)
        pairs = {(record["userId"], record["movieId"]) for record in found}
        self._recency.look_up(pairs)
        for name in ("undo_viewings", "undo_ratings", "undo_marks"):
            [record] = self._transaction.run(name, eventIds=event_ids)
            removed += sum(record.values())
        self._recency.look_again(pairs)
        if removed:
            self.note_change(None)
        return int(before["effects"]) + removed

    def name_undone(self, users: dict[str, int]) -> None:
        """Remember whose events are that were taken back before they came (event id to user id)."""
        if rows := [{"eventId": event_id, "userId": user_id} for event_id, user_id in sorted(users.items())]:
            self._transaction.run("write_undone", rows=rows)

    def write_erasures(self, moments: dict[int, datetime]) -> None:
        """Have users forgotten: from now on nothing of them is written. Their edges are removed later."""
        if rows := [{"userId": user_id, "at": text_of(at)} for user_id, at in sorted(moments.items())]:
            [record] = self._transaction.run("write_erasures", rows=rows, sequence=self.sequence)
            self._has_erasures = True
            if new := record["userIds"]:  # a note of one who has been removed already would stay
                self.note_change(set(new))

    def find_erased(self, user_ids: set[int]) -> dict[int, datetime]:
        """Until when nothing may be kept of those of some users who are or were erased; NEVER: still are."""
        if not (self._has_erasures and user_ids):
            return {}
        records = self._transaction.run("find_erased_users", userIds=sorted(user_ids))
        return {record["userId"]: native(record["liftedAt"]) or NEVER for record in records}

    def remove_user_edges(self, user_id: int, limit: int) -> dict[str, int]:
        """Remove some of a user's edges; how many of each type."""
        self._recency.look_up_user(user_id)
        removed = {
            row["kind"]: row["removed"]
            for row in self._transaction.run("remove_user_edges", userId=user_id, limit=limit)
        }
        if removed:
            self._recency.look_up_user(user_id)
            self.note_change({user_id})
        return removed

    def remove_user(self, user_id: int) -> None:
        """Remove an erased user who has no edges left. No note names the user any more, so this one is for all."""
        self._transaction.run("remove_user", userId=user_id, at=utc_now(), sequence=self.sequence)
        self.note_change(None)

    def withdraw_movie(self, movie_id: int) -> bool:
        """Delete a movie: it is offered to nobody any more, and removed later; returns whether there is one."""
        found = self._transaction.run("withdraw_movie", movieId=movie_id, at=utc_now())
        if found:
            self._has_deletions = True
            self.note_change(None)
        return bool(found)

    def find_deleted(self, movie_ids: Iterable[int]) -> dict[int, Deletion]:
        """Those of some movies that are or were deleted."""
        if not (self._has_deletions and (wanted := sorted(movie_ids))):
            return {}
        records = self._transaction.run("find_deleted_movies", movieIds=wanted)
        return {record["movieId"]: Deletion(native(record["at"]) or NEVER, record["lifted"]) for record in records}

    def remove_movie_edges(self, movie_id: int, limit: int) -> int:
        """Remove some of a deleted movie's edges from before; returns how many."""
        [found] = self._transaction.run("find_deleted_edges", movieId=movie_id, limit=limit)
        user_ids = sorted(found["userIds"])
        if not user_ids:
            [record] = self._transaction.run("remove_movie_links", movieId=movie_id, limit=limit)
            return int(record["removed"])
        pairs = [(user_id, movie_id) for user_id in user_ids]
        self._recency.look_up(pairs)
        [record] = self._transaction.run("remove_movie_edges", movieId=movie_id, userIds=user_ids)
        self._recency.look_again(pairs)
        self.note_change(set(user_ids))
        return int(record["removed"])

    def remove_movie(self, movie_id: int) -> None:
        """End the deletion of a movie whose edges are removed."""
        self._transaction.run("remove_movie", movieId=movie_id, at=utc_now())
        self.note_change(None)

    def note_refused(self, events: Mapping[int, int]) -> None:
        """Count events that were refused, by the movie that no catalogue has."""
        rows = [{"movieId": movie_id, "events": count} for movie_id, count in sorted(events.items())]
        self._transaction.run("note_refused_movies", rows=rows, at=utc_now(), most=NOTED_MOVIES)

    def retain(self, job: str, before: datetime, limit: int) -> int:
        """Close or remove some edges from before a moment (graph.repositories.retention); returns how many."""
        [record] = self._transaction.run(f"jobs/{job}", before=before, limit=limit, sequence=self.sequence)
        if record["edges"]:
            self.note_change(None)
        return int(record["edges"])

    def find_known_events(self, event_ids: list[str]) -> dict[str, KnownEvent]:
        """Those of some events that change nothing any more: taken back, or in the graph already."""
        return read_known_events(
            self._transaction.run("find_known_events", eventIds=event_ids, undone=self._has_undone)
        )

    def put_movie(self, movie_id: int, title: str, year: int | None, genres: list[str], available: bool) -> bool:
        """Make a movie, or change all that is told of it; returns whether it is new."""
        [record] = self._transaction.run(
            "put_movie", movieId=movie_id, title=title, year=year, genres=genres, available=available
        )
        self.note_change(None)
        return bool(record["created"])

    def add_movies(self, movies: list[dict[str, Any]]) -> None:
        """Make movies (movieId, title, year, genres; by id) that are not there yet; what others lack is taken over.

        Deleted ones stay away.
        """
        deleted = self.find_deleted(movie["movieId"] for movie in movies)
        rows = [
            {**movie, "title": title_of(movie["title"])}
            for movie in movies
            if movie["movieId"] not in deleted or deleted[movie["movieId"]].lifted
        ]
        self._transaction.run("jobs/add_movies", movies=rows)
        self.note_change(None)

    def add_ratings(self, rows: list[tuple[int, int, float, int]]) -> int:
        """Write bulk ratings (user id, movie id, stars, milliseconds since 1970), sorted, each pair once.

        Of a pair that is rated already the later moment counts.

        Returns how many were written.
        """
        [record] = self._transaction.run("jobs/add_ratings", rows=rows, countedFrom=COUNTED_FROM)
        self._recency.move(record["moves"])
        if counted := [row[3] for row in rows if row[2] >= COUNTED_FROM]:
            self._recency.see(moment_after(max(counted)))
        if record["written"]:
            self.note_change(None)
        return int(record["written"])

    def store_lists(self, lists: list[tuple[str, RecommendationList]]) -> None:
        """Store lists, each under its batch id as its user's newest, unless they are stored already."""
        lists = sorted(lists, key=_listed_user)
        stored = store_recommendations(self._transaction, lists, self.sequence, self._hit_window)
        self.changed = self.changed or stored

    def close(self) -> None:
        """Keep the movies' figures true, and give the batch its number, if it changed anything."""
        self._recency.write()
        if self.changed:
            named = self._about is not None and len(self._about) <= NAMED_USERS
            user_ids = sorted(self._about or ()) if named else None
            self._transaction.run("move_sequence", value=self.sequence, userIds=user_ids, keep=KEPT_CHANGES)


def read_known_events(records: list[Record]) -> dict[str, KnownEvent]:
    """Known events by id, from the records of `find_known_events`: what was taken back is that alone."""
    known: dict[str, KnownEvent] = {}
    for record in records:
        found = KnownEvent(
            record["kind"], record["userId"], record["movieId"], record["value"], replaced=record["replaced"]
        )
        if record["kind"] == "undone" or record["eventId"] not in known:
            known[record["eventId"]] = found
    return known


def _listed_user(entry: tuple[str, RecommendationList]) -> int:
    return entry[1].user_id or 0
