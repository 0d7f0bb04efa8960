"""The Netflix Prize's files.

`combined_data_[1-4].txt` or `training_set/mv_*.txt` hold lines `MovieID:`, each followed by that movie's ratings
`CustomerID,Rating,YYYY-MM-DD`; `probe.txt` has the customer ids alone, `qualifying.txt` no ratings; `movie_titles.csv`
or `.txt` has `MovieID,Year,Title` in latin-1, commas in titles not quoted, Year may be NULL.
"""

import re
from datetime import date
from typing import BinaryIO

from common.times import DAY
from loader.formats.accounts import Account, Rejects
from loader.formats.kernels import Bytes, Records, scan_netflix
from loader.formats.lines import IN_THE_FUTURE, Judgement, MovieRow, text_lines, whole_number

UNKNOWN = -1
EPOCH = date(1970, 1, 1).toordinal()


class NetflixLines:
    """Lines of ratings (`rated`, `dated`), of the probe set (neither) or of the qualifying set (`dated` alone)."""

    def __init__(self, *, rated: bool, dated: bool, latest: int) -> None:
        """`latest`: the last moment that is taken, in milliseconds since 1970; a date is its midnight."""
        self._rated = rated
        self._dated = dated
        self._latest = latest
        self._movie = UNKNOWN  # whose lines come next
        fields = ["CustomerID", *(["Rating"] if rated else []), *(["YYYY-MM-DD"] if dated else [])]
        self._layout = ",".join(fields)
        self._fields = len(fields)

    def scan(self, data: Bytes, position: int, out: Records, count: int) -> tuple[int, int, int]:
        """Read well-formed lines."""
        position, self._movie, count, structure = scan_netflix(
            data, position, self._movie, self._rated, self._dated, self._latest // DAY, out, count
        )
        return position, count, structure

    def judge(self, line: str, number: int) -> Judgement:
        """What one line is.

        After a header that cannot be read no line is a rating: it would count for the movie before. Where records have
        commas, a line without one may be a header that lost its colon.
        """
        line = line.strip()
        if not line:
            return ""
        if self._heads(line):
            self._movie = (whole_number(line[:-1]) if line.endswith(":") else None) or UNKNOWN
            return "" if self._movie != UNKNOWN else f"neither of the form MovieID: nor {self._layout}"
        if self._movie == UNKNOWN:
            return "no readable MovieID: line before it"
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != self._fields:
            return f"not of the form {self._layout}"
        user = whole_number(fields[0])
        stars = whole_number(fields[1]) if self._rated else 0
        at = _read_date(fields[-1]) if self._dated else 0
        if user is None:
            return "user id is no positive integer"
        if stars is None or stars > 5:
            return "rating is out of range"
        if at is None:
            return "date is unreadable"
        if at > self._latest:
            return IN_THE_FUTURE
        return user, self._movie, stars, at

    def skip(self, line: str) -> None:
        """Take note of a line that is too long: a header like this says nothing of the lines after it."""
        if self._heads(line.strip()):
            self._movie = UNKNOWN

    def _heads(self, line: str) -> bool:
        return line.endswith(":") or (self._fields > 1 and "," not in line)


def read_netflix_titles(name: str, stream: BinaryIO, account: Account, rejects: Rejects) -> list[MovieRow]:
    """The movies of a titles file."""
    rows: list[MovieRow] = []
    for number, line in text_lines(name, stream, "latin-1", account, rejects):
        key, _, rest = line.partition(",")
        year, _, title = rest.partition(",")
        if (movie_id := whole_number(key)) and title.strip():
            rows.append((movie_id, title.strip(), whole_number(year), []))
        else:
            rejects.add(account, name, number, "not of the form MovieID,Year,Title", line)
    return rows


def _read_date(text: str) -> int | None:
    """Milliseconds since 1970 of YYYY-MM-DD, or None."""
    found = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII)
    try:
        day = date.fromisoformat(text) if found else None
    except ValueError:
        return None
    return (day.toordinal() - EPOCH) * DAY if day else None
