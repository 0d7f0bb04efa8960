"""The next database, built and verified aside of the one that serves, then put in its place."""

import json
import logging
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from common.commands import progress_bar
from common.errors import RecommenderError
from common.files import write_durably
from common.settings import Settings
from common.times import utc_now
from engine.dataset import Dataset
from engine.forgetting import find_unforgotten
from engine.training import FittedModel
from graph.contents import open_present
from graph.database import Database
from graph.errors import ServerError
from graph.repositories.deletions import Deletions
from graph.repositories.erasures import Erasures
from graph.repositories.live import LiveEdges, LiveState
from graph.repositories.models import Models
from graph.server.home import Home, Memory
from graph.server.process import EmbeddedServer
from graph.tombstones import Tombstone, merge_tombstones
from loader.database.importer import GraphCounts, import_tables
from loader.database.tables import write_tables
from loader.runs import timed

logger = logging.getLogger(__name__)

IMPORTED, STARTED, READY = "imported", "started", "ready"


@dataclass(frozen=True)
class NextDatabase:
    """A database being built: its own home beside the serving one, its store among that one's stores.

    The file `state.json` tells how far it is, so that a killed load goes on there: after the import, or, if it serves
    already, after the exchange. Between these it is made anew: Neo4j may not start a store whose first start was
    cut off, and what it took over of the live edges grows old.
    """

    server: EmbeddedServer
    settings: Settings
    dataset: Dataset
    fitted: FittedModel
    tombstones: list[Tombstone]
    forget_live: bool
    quiet: bool

    @property
    def counts(self) -> GraphCounts:
        """What it must hold."""
        return GraphCounts.of(self.dataset, self.fitted)

    @property
    def is_serving(self) -> bool:
        """Whether it took the old one's place already, by a load that was killed right after."""
        return self._state() == READY and self.server.home.data.resolve() == self._store().resolve()

    def build(self) -> None:
        """Import it, unless that is done already."""
        self._aside().down()  # what a killed load left running
        if self._state() == IMPORTED:
            logger.info("imported already")
            return
        self.remove()
        try:
            self._import()
        except BaseException:  # half an import is of no use, and a full disk wants its room back
            self.remove()
            raise
        self._set_state(IMPORTED)

    def prepare(self) -> None:
        """Start it aside, index it, compare its counts, and take over what is live; then stop it again."""
        if not (
            self.server.home.has_database or self.tombstones
        ):  # nothing to spare, nothing to take over: its own start will do
            self._set_state(READY)
            return
        self._set_state(STARTED)
        logger.info("building the indexes")
        with self._aside().temporarily_up(Memory.of_machine().halved()) as database:
            self._verify(database, self.counts)
            self._carry(database)
        self._set_state(READY)

    def replace_serving(self, *, start: bool) -> None:
        """Put it in the place of the serving database, which comes back if this one does not answer."""
        if not start:
            self._remove_system_database()
        self.server.exchange(
            self._store(),
            self.settings.neo4j_bolt_port,
            self.settings.neo4j_http_port,
            self._verify_serving,
            start=start,
        )

    def remove(self) -> None:
        """Remove what is left aside; never the store that serves."""
        (self._home().path / "state.json").unlink(missing_ok=True)  # first: half removed it must not count
        shutil.rmtree(self._home().path, ignore_errors=True)
        self.server.home.remove_other_stores()

    def _import(self) -> None:
        home = self._home()
        home.create(self.server.home.password(), self.server.home.store(f"{utc_now():%Y%m%dT%H%M%S%f}"))
        ratings = self.counts.ratings
        with timed("tables written"), progress_bar("Writing tables", ratings, "rating", quiet=self.quiet) as bar:
            tables = write_tables(self.dataset, self.fitted, home.path / "import", bar.update)
        with timed("imported"), progress_bar("Importing", 100, "%", quiet=self.quiet) as bar:
            import_tables(tables, self.counts, self._aside(), lambda share: bar.update(100 * share - bar.n))
        shutil.rmtree(home.path / "import")

    def _carry(self, database: Database) -> None:
        """Take over who is erased, and what is live."""
        state = self._read_live()
        self._carry_erasures(database, state.tombstones if state else [])
        if state is None:
            return
        if self.forget_live:
            logger.info("%d live edges are forgotten", len(state.edges))
            state = state.without_edges()
        with progress_bar("Carrying over", len(state.edges), "live edge", quiet=self.quiet) as bar:
            LiveEdges(database).write_state(state, bar.update)

    def _carry_erasures(self, database: Database, latest: list[Tombstone]) -> None:
        """Who was erased since the staging was imported, and goes before anything live comes."""
        tombstones = merge_tombstones([*self.tombstones, *latest])
        erasures = Erasures(database, self.settings.erased_file)
        erasures.write(tombstones)
        for tombstone in find_unforgotten(self.dataset.manifest(), tombstones):
            erasures.remove(tombstone.user_id)

    def _read_live(self) -> LiveState | None:
        """The live state of the database that serves; None if there is none, or never were ratings in it."""
        with open_present(self.settings) as serving:
            if serving is None or Models(serving).get_catalogue() is None:
                return None
            return LiveEdges(serving).read_state()

    def _verify(self, database: Database, counts: GraphCounts) -> None:
        """What is live may come on top of what was imported."""
        found, least = Models(database).count_graph(), asdict(counts)
        if any(found[name] < count for name, count in least.items()):
            raise ServerError(f"the new database holds {found}, expected {least}: what served before serves on")

    def _verify_serving(self) -> None:
        """The same once it serves, when another fit may have put other edges in the place of ours already."""
        counts = replace(self.counts, similar=min(self.counts.similar, 1))
        with Database.from_settings(self.settings) as database:
            if find_unforgotten(self.dataset.manifest(), Models(database).read_tombstones()):  # erased meanwhile
                counts = replace(counts, users=1, ratings=1)
            if Deletions(database).any_stands():  # the worker may be removing movies by now
                counts = replace(counts, movies=1, ratings=1)
            self._verify(database, counts)

    def _remove_system_database(self) -> None:
        """Another server will run the files: it makes the system database with its own passwords."""
        for name in ("databases/system", "transactions/system", "dbms"):
            shutil.rmtree(self._store() / name, ignore_errors=True)

    def _store(self) -> Path:
        return self._home().data.resolve()

    def _home(self) -> Home:
        return self.server.home.incoming

    def _aside(self) -> EmbeddedServer:
        return self.server.beside(self._home())

    def _state(self) -> str | None:
        """How far the database for this data set and model is, or None."""
        try:
            known = json.loads((self._home().path / "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return str(known["state"]) if known.get("made") == self._made() else None

    def _set_state(self, state: str) -> None:
        write_durably(self._home().path / "state.json", json.dumps({"state": state, "made": self._made()}))

    def _made(self) -> list[str]:
        return [self.dataset.name, self.fitted.model.version, str(self.forget_live)]


def require_same_catalogue(settings: Settings, catalogue: str) -> None:
    """Raise RecommenderError if the serving database has live edges of another catalogue: its ids mean other movies."""
    with open_present(settings) as serving:
        known = Models(serving).get_catalogue() if serving else None
        if serving and known not in (None, catalogue) and LiveEdges(serving).count():
            raise RecommenderError(
                f"the database has live edges of catalogue {known!r}, whose movie ids are not those of {catalogue!r}: "
                "drop them with --forget-live"
            )
