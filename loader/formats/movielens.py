"""MovieLens files of every age: `ratings.csv`, `ratings.dat` (`::`) and `u.data` (tabs)."""

import csv
import re
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from loader.formats.accounts import Account, Rejects
from loader.formats.kernels import Bytes, Records, scan_movielens
from loader.formats.lines import IN_THE_FUTURE, Judgement, MovieRow, text_lines, whole_number

NO_GENRES = "(no genres listed)"
RATINGS_HEADER = "userId,movieId,rating,timestamp"


class MovieLensLines:
    """Lines of ratings, their fields parted by `separator`; a column header may be the first line."""

    def __init__(self, separator: str, latest: int) -> None:
        """`latest`: the last moment that is taken, in milliseconds since 1970."""
        self._separator = separator
        self._latest = latest // 1000  # seconds, as the files have them
        self._bytes = np.frombuffer(separator.encode(), np.uint8)

    def scan(self, data: Bytes, position: int, out: Records, count: int) -> tuple[int, int, int]:
        """Read well-formed lines."""
        position, count = scan_movielens(data, position, self._bytes, self._latest, out, count)
        return position, count, 0

    def skip(self, line: str) -> None:
        """Take note of a line that is too long: no other depends on it."""

    def judge(self, line: str, number: int) -> Judgement:
        """What one line is."""
        if not line.strip() or (number == 1 and self._separator == "," and line.strip() == RATINGS_HEADER):
            return ""
        fields = [field.strip() for field in line.split(self._separator)]
        if len(fields) != 4:
            return f"not of the form {RATINGS_HEADER.replace(',', self._separator)}"
        user, movie = whole_number(fields[0]), whole_number(fields[1])
        stars = float(fields[2]) if re.fullmatch(r"\d*\.?\d+|\d+\.", fields[2], re.ASCII) else 0.0
        seconds = int(fields[3]) if re.fullmatch(r"\d{1,10}", fields[3], re.ASCII) else -1
        if user is None:
            return "user id is no positive integer"
        if movie is None:
            return "movie id is no positive integer"
        if not 0.5 <= stars <= 5 or not (stars * 2).is_integer():
            return "rating is out of range"
        if seconds < 0:
            return "date is unreadable"
        if seconds > self._latest:
            return IN_THE_FUTURE
        return user, movie, stars, seconds * 1000


@dataclass(frozen=True)
class TitleLayout:
    """How one generation's titles are written."""

    separator: str
    encoding: str
    has_header: bool = False
    has_genres: bool = True

    def read(self, name: str, stream: BinaryIO, account: Account, rejects: Rejects) -> list[MovieRow]:
        """The movies of a titles file; the year is taken from the end of `Title (1995)`."""
        rows: list[MovieRow] = []
        for number, line in text_lines(name, stream, self.encoding, account, rejects):
            fields = self._split(line)
            if self.has_header and number == 1 and fields[0] == "movieId":
                account.structure += 1
            elif len(fields) >= 2 and (movie_id := whole_number(fields[0])):
                title, year = split_year(fields[1])
                rows.append((movie_id, put_article_first(title), year, self._genres(fields)))
            else:
                rejects.add(account, name, number, "not of the form movieId, title, genres", line)
        return rows

    def _split(self, line: str) -> list[str]:
        if self.separator != ",":
            return line.split(self.separator)
        try:
            return next(csv.reader([line], strict=True), [])
        except csv.Error:
            return [line]

    def _genres(self, fields: list[str]) -> list[str]:
        # u.item has a column of 0 and 1 for each genre of u.genre instead.
        if not self.has_genres or len(fields) < 3 or fields[2] == NO_GENRES:
            return []
        return [genre for genre in fields[2].split("|") if genre]


def split_year(title: str) -> tuple[str, int | None]:
    """`Heat (1995)` → `("Heat", 1995)`."""
    found = re.fullmatch(r"(.*\S)\s*\((\d{4})\)", title.strip())
    return (found[1], int(found[2])) if found else (title.strip(), None)


def put_article_first(title: str) -> str:
    """`Matrix, The` → `The Matrix`."""
    return re.sub(r"^(.+), (The|A|An)$", r"\2 \1", title)
