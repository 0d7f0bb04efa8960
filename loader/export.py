"""The running database's ratings and viewings as Parquet, streamed by ranges of users.

`ratings.parquet`: userId, movieId, rating (stars), at (UTC), eventId (null if bulk-loaded); by user and movie.
`viewings.parquet`: userId, movieId, eventId, source, startedAt, lastSeenAt, finishedAt and abandonedAt (null if it did
not end so); by user, start and event. Each range is one moment of the graph; what changes meanwhile may be in or not.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from common.commands import progress_bar
from common.errors import RecommenderError
from common.files import make_private_folder
from common.settings import Settings
from graph.database import Database
from graph.repositories.export import Export
from graph.repositories.models import Models
from graph.schema import require_known_schema
from loader.runs import told_failures

MOMENT = pa.timestamp("ms")
IDS = [("userId", pa.int32()), ("movieId", pa.int32())]
RATINGS = pa.schema([*IDS, ("rating", pa.float32()), ("at", MOMENT), ("eventId", pa.string())])
VIEWINGS = pa.schema(
    [
        *IDS,
        ("eventId", pa.string()),
        ("source", pa.string()),
        ("startedAt", MOMENT),
        ("lastSeenAt", MOMENT),
        ("finishedAt", MOMENT),
        ("abandonedAt", MOMENT),
    ]
)
USERS = 100
GROUP_ROWS = 500_000


def export_graph(folder: Path, settings: Settings, *, quiet: bool = False) -> tuple[int, int]:
    """Write both files into a new or empty folder; returns the numbers of ratings and viewings.

    Raises RecommenderError; then the folder is left as it was.
    """
    with told_failures(), _new_content(folder) as partial, Database.from_settings(settings) as database:
        require_known_schema(database)
        export, users = Export(database), Models(database).count_graph()["users"]
        with (
            _Output(partial / "ratings.parquet", RATINGS) as ratings,
            _Output(partial / "viewings.parquet", VIEWINGS) as viewings,
            progress_bar("Exporting", users, "user", quiet=quiet) as bar,
        ):
            after = -1
            while found := export.read_ratings(after, USERS):
                until = found.user_ids[-1]
                ratings.write(found.columns)
                viewings.write(export.read_viewings(after, until))
                after = until
                bar.update(len(found.user_ids))
        return ratings.rows, viewings.rows


class _Output:
    """A Parquet file that is written in groups of rows."""

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._schema = schema
        self._waiting: list[pa.Table] = []
        self.rows = 0

    def __enter__(self) -> "_Output":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def write(self, columns: dict[str, list[Any]]) -> None:
        table = pa.table(columns, schema=self._schema)
        self.rows += len(table)
        self._waiting.append(table)
        if sum(map(len, self._waiting)) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting))
        self._waiting = []


@contextmanager
def _new_content(folder: Path) -> Iterator[Path]:
    """A folder to write to, whose files are moved into the wanted one once they are complete."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RecommenderError(f"{folder} exists and is not empty: name another folder")
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    make_private_folder(partial.parent)
    partial.mkdir(mode=0o700)
    try:
        yield partial
        partial.rename(folder)  # takes the place of an empty one
    finally:
        shutil.rmtree(partial, ignore_errors=True)
