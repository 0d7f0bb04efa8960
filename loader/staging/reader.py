"""Reading all files of an input, whatever they are: ratings are handed on, the rest is kept."""

import logging
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import numpy as np
import polars as pl

from common.times import milliseconds_of
from engine.dataset import TITLED_SCHEMA
from graph.titles import title_of
from loader.files.archives import Member
from loader.formats.accounts import Account, Rejects
from loader.formats.kernels import Records
from loader.formats.lines import LineReader, MovieRow
from loader.formats.netflix import NetflixLines
from loader.formats.recognition import SETS, TITLE_FILES, RatingsFormat, find_ratings_format

logger = logging.getLogger(__name__)


class InputReader:
    """Takes the members of an input one by one; of several formats of ratings the first one met counts.

    `accounts` tells by kind of file (ratings, movies, probe, qualifying) where its lines went.
    """

    def __init__(self, rejects: Rejects, take_ratings: Callable[[Records], None], latest: datetime) -> None:
        """`latest`: lines of a later moment are rejected."""
        self.format: RatingsFormat | None = None
        self.accounts: dict[str, Account] = defaultdict(Account)
        self._rejects = rejects
        self._latest = milliseconds_of(latest)
        self._ratings = LineReader(self.accounts["ratings"], rejects, take_ratings)
        self._titles: dict[str, list[MovieRow]] = defaultdict(list)
        self._title_accounts: dict[str, Account] = {}
        self._probe: list[Records] = []
        self._ignored: set[RatingsFormat] = set()

    def read(self, member: Member) -> None:
        """Read one file, told by its name."""
        if found := find_ratings_format(member.basename):
            self._read_ratings(member, found)
        elif read_titles := TITLE_FILES.get(member.basename):
            account = self._title_accounts.setdefault(member.basename, Account())
            self._titles[member.basename] += read_titles(member.name, member.stream, account, self._rejects)
        elif kind := SETS.get(member.basename):
            self._read_set(member, kind)

    def finish(self) -> None:
        """Hand on what is left; the accounts are complete but for what only sorting finds."""
        self._ratings.flush()
        if not self._title_accounts:
            return
        movies = self.accounts["movies"]
        for name, account in self._title_accounts.items():
            if self.format is None or name in self.format.titles:
                movies.lines += account.lines
                movies.structure += account.structure
                movies.rejected += account.rejected
        movies.loaded = len(self.movies())
        movies.duplicates = movies.lines - movies.structure - movies.rejected - movies.loaded

    def movies(self) -> pl.DataFrame:
        """The movies of the ratings' catalogue, by id."""
        names = self.format.titles if self.format else ()
        return movie_frame([row for name in names for row in self._titles[name]])

    def probe(self) -> pl.DataFrame:
        """The pairs (userId, movieId) of the probe set, each once."""
        parts = [pl.DataFrame({"userId": part["userId"], "movieId": part["movieId"]}) for part in self._probe]
        return pl.concat([pl.DataFrame(schema={"userId": pl.Int32, "movieId": pl.Int32}), *parts]).unique()

    def _read_ratings(self, member: Member, found: RatingsFormat) -> None:
        if self.format is None:
            self.format = found
        if found is not self.format:
            if found not in self._ignored:
                logger.warning(
                    "%s and its like are not read: the ratings are those of %s", member.name, self.format.name
                )
            self._ignored.add(found)
            return
        self._ratings.read(member.name, member.stream, found.open_lines(self._latest))

    def _read_set(self, member: Member, kind: str) -> None:
        account = self.accounts[kind]
        reader = LineReader(account, self._rejects, self._keep_probe if kind == "probe" else lambda _: None)
        lines = NetflixLines(rated=False, dated=kind == "qualifying", latest=self._latest)
        reader.read(member.name, member.stream, lines)
        reader.flush()
        account.loaded = account.lines - account.structure - account.rejected

    def _keep_probe(self, records: Records) -> None:
        self._probe.append(np.copy(records))


def movie_frame(rows: list[MovieRow]) -> pl.DataFrame:
    """Movies by id; of an id that comes twice the first counts."""
    titled = [(movie_id, title_of(title), *more) for movie_id, title, *more in rows]
    frame = pl.DataFrame(titled, schema=TITLED_SCHEMA, orient="row")
    return frame.unique("movieId", keep="first", maintain_order=True).sort("movieId")
