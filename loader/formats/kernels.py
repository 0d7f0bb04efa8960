"""Reading well-formed rating lines at the speed of memory: kernels compiled by numba.

A kernel takes only lines that are exactly as the format says, and stops at the first other one, which the format's
own module then judges (`netflix`, `movielens`). So what a line means is said there, in plain Python; these kernels are
its fast path and must agree with it.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from common.times import DAY
from graph.repositories.interactions import LARGEST_ID

NO_DAY = -1_000_000
NEWLINE, RETURN, COLON, COMMA, DASH, DOT, ZERO = 10, 13, 58, 44, 45, 46, 48

RATING = np.dtype([("userId", "<i4"), ("movieId", "<i4"), ("rating", "<f4"), ("at", "<i8")])
Records = NDArray[Any]  # of RATING; `at` in milliseconds since 1970
Bytes = NDArray[np.uint8]


@njit(cache=True, inline="always")
def _read_number(data: Bytes, position: int, digits: int) -> tuple[int, int]:
    """A number of at most so many digits, and where it ends; -1 if there is none."""
    value = 0
    begin = position
    while position < len(data) and position - begin < digits:
        digit = data[position] - ZERO
        if digit < 0 or digit > 9:
            break
        value = value * 10 + digit
        position += 1
    return (value if position > begin else -1), position


@njit(cache=True, inline="always")
def _end_line(data: Bytes, position: int) -> int:
    """Where the next line begins if this one ends here, else -1."""
    if position < len(data) and data[position] == RETURN:
        position += 1
    return position + 1 if position < len(data) and data[position] == NEWLINE else -1


@njit(cache=True)
def _days_since_1970(year: int, month: int, day: int) -> int:
    """Days of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms"); NO_DAY if none."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = 31
    if month == 4 or month == 6 or month == 9 or month == 11:
        length = 30
    elif month == 2:
        length = 29 if leap else 28
    if year < 1 or month < 1 or month > 12 or day < 1 or day > length:
        return NO_DAY
    shifted = year - 1 if month <= 2 else year
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@njit(cache=True)
def _read_date(data: Bytes, position: int) -> tuple[int, int]:
    """A date YYYY-MM-DD in days since 1970, and where it ends; NO_DAY if there is none."""
    if position + 10 > len(data) or data[position + 4] != DASH or data[position + 7] != DASH:
        return NO_DAY, position
    year, year_end = _read_number(data, position, 4)
    month, month_end = _read_number(data, position + 5, 2)
    day, day_end = _read_number(data, position + 8, 2)
    if year_end != position + 4 or month_end != position + 7 or day_end != position + 10:
        return NO_DAY, position
    return _days_since_1970(year, month, day), position + 10


@njit(cache=True, nogil=True)
def scan_netflix(
    data: Bytes, position: int, movie: int, rated: bool, dated: bool, latest: int, out: Records, count: int
) -> tuple[int, int, int, int]:
    """Read lines `MovieID:` and `CustomerID[,Rating][,YYYY-MM-DD]` into `out` from `count` on.

    `rated`, `dated`: which fields a line has. `movie`: whose lines come next, below 1 if that is not known. `latest`:
    the last day that it takes, since 1970. Returns where it stopped (the beginning of a line that it does not take, or
    the end), movie, count and how many lines were headers or empty.
    """
    structure = 0
    while position < len(data) and count < len(out):
        following = _end_line(data, position)
        if following > 0:
            structure += 1
            position = following
            continue
        user, end = _read_number(data, position, 10)
        if user < 1 or user > LARGEST_ID or end >= len(data):
            break
        if data[end] == COLON:
            following = _end_line(data, end + 1)
            if following < 0:
                break
            movie = user
            structure += 1
            position = following
            continue
        if movie < 1:
            break
        stars = 0
        if rated:
            if data[end] != COMMA or end + 2 >= len(data):
                break
            stars = data[end + 1] - ZERO
            end += 2
            if stars < 1 or stars > 5:
                break
        day = 0
        if dated:
            if data[end] != COMMA:
                break
            day, end = _read_date(data, end + 1)
            if day == NO_DAY or day > latest:
                break
        following = _end_line(data, end)
        if following < 0:
            break
        out[count].userId = user
        out[count].movieId = movie
        out[count].rating = stars
        out[count].at = day * DAY
        count += 1
        position = following
    return position, movie, count, structure


@njit(cache=True, nogil=True)
def _skip_separator(data: Bytes, position: int, separator: Bytes) -> int:
    """Where the field after a separator begins, or -1 if there is no separator here."""
    if position + len(separator) > len(data):
        return -1
    for offset in range(len(separator)):
        if data[position + offset] != separator[offset]:
            return -1
    return position + len(separator)


@njit(cache=True, nogil=True)
def scan_movielens(
    data: Bytes, position: int, separator: Bytes, latest: int, out: Records, count: int
) -> tuple[int, int]:
    """Read lines `userId movieId rating timestamp` into `out` from `count` on, fields parted by `separator`.

    `latest`: the last second that it takes, since 1970. Returns where it stopped (the beginning of a line that it does
    not take, or the end) and count.
    """
    while position < len(data) and count < len(out):
        user, end = _read_number(data, position, 10)
        field = _skip_separator(data, end, separator)
        if user < 1 or user > LARGEST_ID or field < 0:
            break
        movie, end = _read_number(data, field, 10)
        field = _skip_separator(data, end, separator)
        if movie < 1 or movie > LARGEST_ID or field < 0:
            break
        stars, end = _read_number(data, field, 1)
        halves = 2 * stars
        if end + 1 < len(data) and data[end] == DOT:
            tenths, end = _read_number(data, end + 1, 1)
            if tenths != 0 and tenths != 5:
                break
            halves += tenths // 5
        field = _skip_separator(data, end, separator)
        if stars < 0 or halves < 1 or halves > 10 or field < 0:
            break
        seconds, end = _read_number(data, field, 10)
        following = _end_line(data, end)
        if seconds < 0 or seconds > latest or following < 0:
            break
        out[count].userId = user
        out[count].movieId = movie
        out[count].rating = halves / 2
        out[count].at = seconds * 1000
        count += 1
        position = following
    return position, count
