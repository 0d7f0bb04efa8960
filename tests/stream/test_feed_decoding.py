"""The feed's body: everything that can be read is, and nothing that cannot be does harm."""

import json
import math
import sys
import time
from datetime import datetime
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.settings import Settings
from stream.decoding import COLUMNS, MOST_ROWS, FeedAnswer, FeedError, decode_answer
from stream.events import Event, EventType
from stream.feed import LARGEST_ANSWER

NOON = datetime(2026, 3, 1, 12)
FUTURE = Settings().future
SIGHTING = Event(
    type=EventType.WATCHING, source="feed", at=NOON, user_id=1488844, movie_id=30, title="Amélie", year=2001
)
GOOD = {"YearRelease": 2001, "Name": "Amélie", "current_time": "2026-03-01T12:00:00", "customerID": 1488844}


def split_frame(*rows: dict[str, Any], index: list[Any] | None = None, columns: tuple[str, ...] = COLUMNS) -> str:
    """What pandas' `to_json(orient="split")` gives."""
    data = [[row[name] for name in columns] for row in rows]
    return json.dumps({"columns": columns, "index": [30] * len(rows) if index is None else index, "data": data})


def read_answer(body: bytes) -> FeedAnswer:
    """An answer received at noon."""
    return decode_answer(body, NOON, FUTURE)


def decode(*rows: dict[str, Any], **options: Any) -> FeedAnswer:
    """Decode rows as the feed sends them: JSON in a JSON string."""
    return read_answer(json.dumps(split_frame(*rows, **options)).encode())


def decode_with(**changes: Any) -> FeedAnswer:
    return decode({**GOOD, **changes})


@pytest.mark.parametrize("columns", list(permutations(COLUMNS)), ids=" ".join)
def test_columns_are_read_by_name(columns: tuple[str, ...]) -> None:
    assert decode(GOOD, columns=columns) == FeedAnswer([SIGHTING], [])


def test_further_columns_are_counted_and_left_out() -> None:
    row = {**GOOD, "country": "FR", "Name2": None}
    assert decode(row, columns=("country", *COLUMNS, "Name2")) == FeedAnswer([SIGHTING])


def test_a_frame_that_is_not_wrapped_in_a_string_is_read_too() -> None:
    assert read_answer(split_frame(GOOD).encode()) == FeedAnswer([SIGHTING], [])


def test_a_real_answer() -> None:
    body = (
        '"{\\"columns\\":[\\"YearRelease\\",\\"Name\\",\\"current_time\\",\\"customerID\\"],\\"index\\":[4306,8387],'
        '\\"data\\":[[1999.0,\\"The Sixth Sense\\",1712345678901,1086807],[null,\\"Dinner \\\\u0026 Drinks\\",'
        '1712345678901,2649429]]}"'
    )
    assert read_answer(body.encode()).sightings == [
        SIGHTING.model_copy(
            update={
                "movie_id": movie,
                "user_id": user,
                "title": title,
                "year": year,
                "at": datetime(2024, 4, 5, 19, 34, 38, 901000),
            }
        )
        for movie, user, title, year in (
            (4306, 1086807, "The Sixth Sense", 1999),
            (8387, 2649429, "Dinner & Drinks", None),
        )
    ]


def test_nobody_watching_is_no_error() -> None:
    assert decode() == FeedAnswer([], [])


@pytest.mark.parametrize("value", [5, 5.0, "5", "5.0"])
def test_ids_may_be_floats_or_strings(value: Any) -> None:
    [sighting] = decode_with(customerID=value).sightings
    assert (sighting.user_id, type(sighting.user_id)) == (5, int)
    [sighting] = decode(GOOD, index=[value]).sightings
    assert (sighting.movie_id, type(sighting.movie_id)) == (5, int)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        5.5,
        "5.5",
        "",
        "x",
        None,
        True,
        [5],
        {"a": 5},
        math.nan,
        math.inf,
        2**31,
        2**63,
        10**400,
        "9" * 400,
        "\ud800",
    ],
    ids=repr,
)
def test_a_wrong_id_makes_a_row_unreadable(value: Any) -> None:
    for answer in (decode_with(customerID=value), decode(GOOD, index=[value])):
        assert answer.sightings == []
        [(text, reason)] = answer.unreadable
        assert reason
        assert f"{text}{reason}".isprintable()


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (2001, 2001),
        (2001.0, 2001),
        ("2001", 2001),
        *((value, None) for value in (None, math.nan, math.inf, 0, -5, 99999, 2001.5, "x", True, [2001], 10**400)),
    ],
    ids=repr,
)
def test_a_wrong_year_costs_only_the_year(value: Any, year: int | None) -> None:
    [sighting] = decode_with(YearRelease=value).sightings
    assert sighting == SIGHTING.model_copy(update={"year": year})


@pytest.mark.parametrize("value", [None, 5, math.nan, ["x"], "\ud800", "a\udc80b", "a\nb", "\x00"], ids=repr)
def test_a_wrong_title_costs_only_the_title(value: Any) -> None:
    [sighting] = decode_with(Name=value).sightings
    assert sighting == SIGHTING.model_copy(update={"title": None})
    sighting.model_dump_json()


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00",
        "2026-03-01T12:00:00Z",
        "2026-03-01T14:00:00+02:00",
        "2026-03-01T12:00:00.000999",
        1772366400,
        1772366400.0,
        1772366400000,
        1772366400000.9,
    ],
)
def test_moments_are_iso_or_epoch(value: Any) -> None:
    assert decode_with(current_time=value).sightings == [SIGHTING]


def test_fractions_are_kept_to_the_millisecond() -> None:
    for value in ("2026-03-01T12:00:00.123456", 1772366400123, 1772366400.1239):
        assert decode_with(current_time=value).sightings[0].at == NOON.replace(microsecond=123000)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, "", "x", "noon", [], {}, math.nan, math.inf, -math.inf, 1e20, -1e21, 1e25, 10**400, "\ud800"),
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
    ],
    ids=repr,
)
def test_a_wrong_moment_makes_a_row_unreadable(value: Any) -> None:
    answer = decode_with(current_time=value)
    assert answer.sightings == []
    assert len(answer.unreadable) == 1


@pytest.mark.parametrize(
    "value", ["2026-03-01T12:05:00", "2026-03-01T14:05:00+02:00", 1772366700, "2026-03-01T12:05:00.000999"]
)
def test_a_moment_may_be_a_little_ahead(value: Any) -> None:
    answer = decode_with(current_time=value)
    assert answer == FeedAnswer([SIGHTING.model_copy(update={"at": NOON + FUTURE})])


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T12:05:00.001",
        "2026-03-01T14:00:00",
        "2030-01-01T00:00:00Z",
        "2500-01-01",
        "9999-12-31T23:59:59",
        1772366700001,
        1893456000,
    ],
)
def test_a_moment_further_ahead_is_the_time_of_receipt(value: Any) -> None:
    """The feed's times may be local."""
    late = {**GOOD, "current_time": value}
    early = {**GOOD, "current_time": "2026-03-01T10:00:00"}
    before = SIGHTING.model_copy(update={"at": datetime(2026, 3, 1, 10)})
    assert decode(late, early, late) == FeedAnswer([SIGHTING, before, SIGHTING], ahead=2)


def test_an_unreadable_row_is_not_counted_as_ahead() -> None:
    answer = decode_with(current_time="2030-01-01", customerID="nobody")
    assert (answer.sightings, len(answer.unreadable), answer.ahead) == ([], 1, 0)


@pytest.mark.parametrize("row", [[], [1, 2], [1, 2, 3, 4, 5], {}, dict(GOOD), None, 5, "abcd"], ids=repr)
def test_a_bad_row_does_not_cost_the_others(row: Any) -> None:
    split = json.loads(split_frame(GOOD, GOOD, GOOD))
    split["data"][1] = row
    split["index"][1] = 77
    answer = read_answer(json.dumps(split).encode())
    assert answer.sightings == [SIGHTING, SIGHTING]
    [(text, reason)] = answer.unreadable
    assert "77" in text
    assert json.dumps(row) in text
    assert reason


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"garbage", b"<html>", b"null", b"5", b'"5"', b'"x"', b"[]", b"{}", b'"{}"', b"\xff\xfe", b"\x00"),
        *(b"[" * 100_000, b'"' + b"[" * 100_000 + b'"', b"9" * 5000, b'"' + b"9" * 5000 + b'"'),
        split_frame(GOOD).encode()[:-1],
        split_frame(GOOD).encode("utf-16")[:-1],
    ],
    ids=lambda body: repr(body[:10]),
)
def test_what_is_no_frame_is_an_error(body: bytes) -> None:
    with pytest.raises(FeedError, match="the feed's answer is no split-orient frame"):
        read_answer(body)


@pytest.mark.parametrize("part", ["columns", "index", "data"])
@pytest.mark.parametrize("value", [None, 5, "x", {"a": [1]}, {}], ids=repr)
def test_a_frame_whose_parts_are_no_lists_is_an_error(part: str, value: Any) -> None:
    split = json.loads(split_frame(GOOD))
    with pytest.raises(FeedError, match="no split-orient frame"):
        read_answer(json.dumps({**split, part: value}).encode())
    del split[part]
    with pytest.raises(FeedError, match="no split-orient frame"):
        read_answer(json.dumps(split).encode())


@pytest.mark.parametrize("index", [[], [30, 31], list(range(1000))], ids=len)
def test_an_index_of_another_length_is_an_error(index: list[int]) -> None:
    with pytest.raises(FeedError, match="no split-orient frame"):
        decode(GOOD, index=index)


@pytest.mark.parametrize("index", [[[1, 2], [3, 4]], [[], []], [{"a": 1}, {"a": 2}], ["x", None]], ids=str)
def test_an_index_of_no_ids_makes_rows_unreadable(index: list[Any]) -> None:
    answer = decode(GOOD, GOOD, index=index)
    assert answer.sightings == []
    assert len(answer.unreadable) == 2


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_missing_or_twice_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(FeedError, match=f"lacks the columns {name}$"):
        decode(GOOD, columns=tuple(column for column in COLUMNS if column != name))
    with pytest.raises(FeedError, match=f"lacks the columns {name}$"):
        decode(GOOD, columns=(*COLUMNS, name))


@pytest.mark.parametrize("columns", [[[]] * 4, [{}] * 4, [None] * 4, [["Name"], *COLUMNS[1:]]], ids=str)
def test_columns_that_are_no_names_are_an_error(columns: list[Any]) -> None:
    with pytest.raises(FeedError, match="lacks the columns YearRelease"):
        read_answer(json.dumps({"columns": columns, "index": [1], "data": [[1, 2, 3, 4]]}).encode())


def test_no_answer_takes_long_or_much_memory() -> None:
    """A few megabytes ask for a table of 10^11 cells, or for a million dead letters."""
    many = LARGEST_ANSWER // 12
    for data in ([], 5, [[]], {"Name": [1]}):
        body = json.dumps({"columns": [*COLUMNS, *range(many)], "index": [1] * many, "data": data})
        begin = time.monotonic()
        with pytest.raises(FeedError):
            read_answer(body.encode())
        assert time.monotonic() - begin < 5
    with pytest.raises(FeedError, match=f"{MOST_ROWS + 1} rows, more than {MOST_ROWS}"):
        decode(*[GOOD] * (MOST_ROWS + 1))
    assert len(decode(*[GOOD] * MOST_ROWS).sightings) == MOST_ROWS


@pytest.mark.parametrize("depth", [10, 500, sys.getrecursionlimit() - 60, sys.getrecursionlimit() - 40])
def test_deep_nesting_does_no_harm(depth: int) -> None:
    nested = json.dumps(split_frame({**GOOD, "customerID": 0})).replace(", 0]", f", {'[' * depth}{']' * depth}]")
    try:
        answer = read_answer(nested.encode())
    except FeedError:
        return
    assert answer.sightings == []
    assert len(answer.unreadable) == 1


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["\ud800", 10**30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_a_good_frame_with_wrong_values_gives_sightings_dead_letters_or_a_feed_error(data: st.DataObject) -> None:
    split: dict[str, Any] = json.loads(split_frame(GOOD, GOOD))
    places = [(split, name) for name in split]
    places += [(part, at) for name in ("columns", "index") for part in [split[name]] for at in range(len(part))]
    places += [(row, at) for row in [split["data"], *split["data"]] for at in range(len(row))]
    for container, key in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=2)):
        container[key] = data.draw(values)
    try:
        answer = read_answer(json.dumps(json.dumps(split)).encode())
    except FeedError:
        return
    assert len(answer.sightings) + len(answer.unreadable) == len(split["index"])
    for sighting in answer.sightings:
        assert Event.model_validate_json(sighting.model_dump_json()) == sighting
    for text, reason in answer.unreadable:
        f"{text}{reason}".encode()


@settings(deadline=None, max_examples=300)
@given(
    edits=st.lists(st.tuples(st.integers(0, 230), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=5),
    wrapped=st.booleans(),
)
def test_broken_bytes_give_sightings_or_a_feed_error(edits: list[tuple[int, int, bytes]], wrapped: bool) -> None:
    text = split_frame(GOOD, GOOD)
    body = (json.dumps(text) if wrapped else text).encode()
    for place, removed, added in edits:
        body = body[:place] + added + body[place + removed :]
    try:
        answer = read_answer(body)
    except FeedError:
        return
    assert len(answer.sightings) + len(answer.unreadable) == 2
