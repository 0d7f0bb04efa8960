"""How `generator` sorts and writes ratings, compiled by numba."""

import numpy as np
from numba import njit

from loader.synthesis.tables import Bytes, Integers, Records

NEWLINE, COLON, COMMA, ZERO = 10, 58, 44, 48
DATE_LENGTH = 10  # YYYY-MM-DD
LONGEST_LINE = 24  # user id, stars, date
LONGEST_HEADER = 12
SCORE_LIMIT = 2**15 - 1


@njit(cache=True)
def group_records(records: Records, group_of: Integers, groups: int) -> tuple[Records, Integers]:
    """Records by the group of their movie, in each group as they were; and where each group begins, and the end."""
    begins = np.zeros(groups + 1, dtype=np.int64)
    for row in range(len(records)):
        begins[group_of[records[row].movie] + 1] += 1
    begins = np.cumsum(begins)
    free = begins.copy()
    grouped = np.empty_like(records)
    for row in range(len(records)):
        group = group_of[records[row].movie]
        grouped[free[group]] = records[row]
        free[group] += 1
    return grouped, begins


@njit(cache=True)
def _write_number(number: int, out: Bytes, position: int) -> int:
    """Write digits; returns where they end."""
    digits = 1
    rest = number // 10
    while rest > 0:
        rest //= 10
        digits += 1
    for place in range(position + digits - 1, position - 1, -1):
        out[place] = ZERO + number % 10
        number //= 10
    return position + digits


@njit(cache=True)
def format_ratings(
    records: Records, bounds: Integers, first: int, stars: Bytes, dates: Bytes, full: bool, out: Bytes
) -> int:
    """Write `MovieID:` and the lines of the movies from `first` (counted from 0) on; returns how many bytes.

    `bounds`: where in `records` each movie's begin, and the end. `stars`: by score + SCORE_LIMIT + 1. `dates`: days x
    DATE_LENGTH. `full`: with stars and dates, and with headers of movies that have no line.
    """
    position = 0
    for index in range(len(bounds) - 1):
        if not full and bounds[index] == bounds[index + 1]:
            continue
        position = _write_number(first + index + 1, out, position)
        out[position] = COLON
        out[position + 1] = NEWLINE
        position += 2
        for row in range(bounds[index], bounds[index + 1]):
            position = _write_number(records[row].user, out, position)
            if full:
                out[position] = COMMA
                out[position + 1] = ZERO + stars[records[row].score + SCORE_LIMIT + 1]
                out[position + 2] = COMMA
                out[position + 3 : position + 3 + DATE_LENGTH] = dates[records[row].day]
                position += 3 + DATE_LENGTH
            out[position] = NEWLINE
            position += 1
    return position
