"""Reading ratings line by line, in blocks, every line accounted for.

A block of lines becomes a frame with one row per line; expressions say what each line is. Nothing is dropped on the
way, so that loaded + rejected + structure lines always add up to the lines of the file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

BLOCK_BYTES = 32 << 20
LARGEST_ID = 2**31 - 1
RATING_SCHEMA: dict[str, pl.DataType] = {
    "userId": pl.Int32(),
    "movieId": pl.Int32(),
    "rating": pl.Float32(),
    "at": pl.Datetime("ms"),
}


@dataclass(frozen=True)
class Reject:
    """A line that is no rating: where, why, and what it says."""

    file: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Block:
    """What came of some lines of a file: `ratings` has RATING_SCHEMA, in the lines' order."""

    ratings: pl.DataFrame
    rejects: list[Reject]
    lines: int
    structure: int
    size: int


# From the block's lines (columns line: text, number: from 1) to the same rows with userId, movieId, rating, at, and
# reason: null for a rating, "" for structure, else why the line is rejected.
LineParser = Callable[[pl.DataFrame], pl.DataFrame]


def read_blocks(file: Path, parse: LineParser, encoding: str = "utf-8") -> Iterator[Block]:
    """Parse a file block by block; undecodable bytes become U+FFFD and fail the line they are in."""
    first = 1
    for data in _read_whole_lines(file):
        text = data.decode(encoding, errors="replace").removesuffix("\n")
        if first == 1:
            text = text.removeprefix("\ufeff")
        lines = pl.DataFrame({"line": [text]}).select(pl.col("line").str.split("\n").explode().str.strip_suffix("\r"))
        lines = lines.with_columns(pl.int_range(first, first + len(lines)).alias("number"))
        yield _block(file, parse(lines), len(data))
        first += len(lines)


def split_fields(separator: str, count: int) -> list[pl.Expr]:
    """Expressions for the fields of a line, named field_0 …; too few or too many leave the last one null."""
    parts = pl.col("line").str.split_exact(separator, count)
    extra = parts.struct.field(f"field_{count}")
    fields = [parts.struct.field(f"field_{position}").str.strip_chars() for position in range(count)]
    return [*fields[:-1], pl.when(extra.is_null()).then(fields[-1]).alias(f"field_{count - 1}")]


def parse_id(field: str) -> pl.Expr:
    """A positive 32-bit id, or null."""
    value = pl.col(field).cast(pl.Int64, strict=False)
    return pl.when(value.is_between(1, LARGEST_ID)).then(value).cast(pl.Int32)


def whole_number(text: str) -> int | None:
    """The positive 32-bit number that a text is, or None."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= 10 and 0 < int(text) <= LARGEST_ID else None


def name_reason(field_count: int, layout: str) -> pl.Expr:
    """Why a line with parsed columns is no rating, the first reason that holds; null if it is one."""
    return (
        pl.when(pl.col(f"field_{field_count - 1}").is_null())
        .then(pl.lit(f"not of the form {layout}"))
        .when(pl.col("userId").is_null())
        .then(pl.lit("user id is no positive integer"))
        .when(pl.col("movieId").is_null())
        .then(pl.lit("movie id is no positive integer"))
        .when(pl.col("rating").is_null())
        .then(pl.lit("rating is out of range"))
        .when(pl.col("at").is_null())
        .then(pl.lit("date is unreadable"))
    )


def _read_whole_lines(file: Path) -> Iterator[bytes]:
    rest = b""
    with file.open("rb") as stream:
        while data := stream.read(BLOCK_BYTES):
            end = data.rfind(b"\n") + 1
            if end == 0:
                rest += data
                continue
            yield rest + data[:end]
            rest = data[end:]
    if rest:
        yield rest


def _block(file: Path, parsed: pl.DataFrame, size: int) -> Block:
    reason = pl.col("reason")
    rejected = parsed.filter(reason.is_not_null() & (reason != ""))
    rejects = [
        Reject(str(file), number, why, line[:200])
        for number, why, line in rejected.select("number", "reason", "line").iter_rows()
    ]
    ratings = parsed.filter(reason.is_null()).select(pl.col(name).cast(kind) for name, kind in RATING_SCHEMA.items())
    return Block(ratings, rejects, len(parsed), len(parsed) - len(ratings) - len(rejects), size)
