"""Small inputs, loader commands as processes, and reading back what they made."""

import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner, Result

import loader.formats.lines
from common.settings import ROOT, Settings
from common.times import NEVER
from graph.database import Database
from loader.__main__ import main
from loader.files.input_files import read_members
from loader.formats.accounts import LONGEST_LINE, Account, Reject, Rejects
from loader.formats.recognition import RatingsFormat
from loader.staging.reader import InputReader
from scripts.sandbox import environment_of

Rows = list[tuple[object, ...]]

# Movies whose statistics are not those of their ratings, or whose figures are not those of their viewers: none.
WRONG_STATISTICS = (
    "MATCH (m:Movie) OPTIONAL MATCH (m)<-[r:RATED]-() WITH m, count(r) AS ratings, avg(r.rating) AS mean "
    "OPTIONAL MATCH (m)<-[e:RATED|WATCHED]-(u) WHERE e.rating >= 3 OR e.finishedAt IS NOT NULL "
    "WITH m, ratings, mean, u, max(coalesce(e.at, e.finishedAt)) AS at "
    "WITH m, ratings, mean, duration.inSeconds(localdatetime('1970-01-01'), at).milliseconds / 86400000.0 AS day "
    "WITH m, ratings, mean, count(day) AS viewers, log(sum(2 ^ (day / 30))) / log(2) AS recent "
    "MATCH (catalogue:Catalogue) MATCH (model:Model {version: catalogue.model}) "
    "WHERE m.ratingCount <> ratings OR abs(coalesce(m.ratingMean, 0) - coalesce(mean, 0)) > 1e-9 "
    "OR coalesce(m.viewers, 0) <> viewers "
    "OR coalesce(m.recent, 0) <> coalesce(m['recent' + model.halfLife], 0) "
    "OR abs(coalesce(m.recent30, -1) - CASE viewers WHEN 0 THEN -1 ELSE recent END) > 1e-9 RETURN m.movieId"
)


def write_netflix(folder: Path, users: int, movies: int, *, seed: int = 0) -> dict[tuple[int, int], tuple[int, str]]:
    """Users who like one of two groups of movies; returns stars and date by user and movie."""
    folder.mkdir(parents=True, exist_ok=True)
    ratings = {}
    with (folder / "combined_data_1.txt").open("w") as stream:
        for movie in range(1, movies + 1):
            stream.write(f"{movie}:\n")
            for user in range(1, users + 1):
                if (movie * 7 + user * 3 + seed) % 5:
                    stars = 5 - (movie + user + seed) % 2 * 4
                    day = f"2005-{1 + movie % 12:02}-{1 + user % 28:02}"
                    stream.write(f"{user},{stars},{day}\n")
                    ratings[user, movie] = stars, day
    titles = "".join(f"{movie},{1950 + movie % 50},Movie, the {movie}.\n" for movie in range(1, movies + 1))
    (folder / "movie_titles.csv").write_text(titles)
    return ratings


@dataclass
class Read:
    """What came of a folder; `accounts` of all that had lines, `size` in bytes, as it was told."""

    format: RatingsFormat | None
    records: list[Any]
    accounts: dict[str, Account]
    rejects: list[Reject]
    movies: list[tuple[Any, ...]]
    probe: list[tuple[int, int]]
    size: int


def read_folder(
    folder: Path,
    block_bytes: int = 1 << 20,
    buffered: int = 1000,
    longest: int = LONGEST_LINE,
    latest: datetime = NEVER,
) -> Read:
    """Read an input in blocks and buffers of some size."""
    records: list[Any] = []
    sizes: list[int] = []
    with (
        patch.multiple(loader.formats.lines, BLOCK_BYTES=block_bytes, BUFFERED_RECORDS=buffered, LONGEST_LINE=longest),
        Rejects() as rejects,
    ):
        reader = InputReader(rejects, lambda some: records.extend(some.tolist()), latest)
        for member in read_members(folder, sizes.append):
            reader.read(member)
        reader.finish()
    accounts = defaultdict(Account, {kind: account for kind, account in reader.accounts.items() if account.lines})
    # Of a line that is too long only so much is sure to be kept.
    shown = [replace(reject, text=reject.text[:longest]) for reject in rejects.first]
    probe = sorted(reader.probe().rows())
    return Read(reader.format, records, accounts, shown, reader.movies().rows(), probe, sum(sizes))


def start_loader(settings: Settings, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a loader command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "loader", *map(str, arguments)],
        cwd=ROOT,
        env=environment_of(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def load_apart(settings: Settings, *arguments: str | Path) -> str:
    """Run a loader command that must succeed, in a process of its own; returns what it printed."""
    process = start_loader(settings, *arguments)
    output, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    return output


def run_loader(settings: Settings, *arguments: str | Path) -> Result:
    """Run a loader command here, which spares a process and its imports; it never shows a traceback."""
    environment = {**dict.fromkeys(os.environ), **environment_of(settings)}
    result = CliRunner().invoke(main, [*map(str, arguments)], env=environment)
    assert isinstance(result.exception, SystemExit | None), result.exc_info
    return result


def load(settings: Settings, *arguments: str | Path) -> str:
    """Run a loader command here that must succeed; returns what it printed."""
    done = run_loader(settings, *arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def read(settings: Settings, text: str) -> Rows:
    """Rows of a query, sorted."""
    with Database.from_settings(settings) as database:
        return sorted((tuple(record.values()) for record in database.run_text(text)), key=repr)


def whole_graph(settings: Settings) -> frozenset[object]:
    """All nodes and edges with what they hold, in no order; a model's version, which is a time, left out."""
    edges = read(
        settings,
        "MATCH (a)-[e]->(b) RETURN type(e), coalesce(a.userId, a.movieId), coalesce(b.userId, b.movieId), "
        "toString(e.at), e.rating, e.weight, e.rank, e.eventId, toString(e.startedAt), toString(e.finishedAt)",
    )
    nodes = read(
        settings,
        "MATCH (n) WHERE n:User OR n:Movie OR n:Catalogue "
        "RETURN labels(n), n.userId, n.movieId, n.title, n.year, n.ratingCount, round(n.ratingMean, 9), n.name",
    )
    assert len(set(map(repr, edges))) == len(edges)
    return frozenset(map(repr, edges + nodes))
