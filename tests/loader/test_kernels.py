"""The kernels take what the plain judge takes, with the same result, or leave the line to it."""

from datetime import date, timedelta
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.times import NEVER, milliseconds_of
from loader.formats.kernels import DAY, LARGEST_ID, RATING, scan_netflix
from loader.formats.lines import IN_THE_FUTURE, Judgement, Lines
from loader.formats.movielens import MovieLensLines
from loader.formats.netflix import NetflixLines

EPOCH = date(1970, 1, 1)
RATINGS, QUALIFYING, PROBE = (True, True), (False, True), (False, False)
KINDS = [RATINGS, QUALIFYING, PROBE]
SEPARATORS = [",", "::", "\t"]
# What is later is not taken: a moment of 2242-03-16.
LATEST_SECONDS = 2**33
LATEST = LATEST_SECONDS * 1000 + 999
LATEST_DAY = EPOCH + timedelta(seconds=LATEST_SECONDS)

IDS = ["1", "5", "30878", "1000000000", str(LARGEST_ID), str(LARGEST_ID + 1), "9999999999", "10000000000", "0", "05"]
IDS += ["0000000007", "00000000007", "+5", "-5", "", " 5", "5 ", "5.0", "0x5", "٥", "5\x00", "1e3", "4294967297"]
STARS = ["1", "2", "3", "4", "5", "0", "6", "9", "03", "3.0", "3.5", "0.5", ".5", "5.", "5.5", "4.50", "4.7", "0.0", ""]
STARS += ["-3", "+3", "4e0", "nan", "inf", "1.", "٣", " 4", "4 ", "10", "5.0", "00.5", "1.25", ".", "3,5"]
DATES = ["2005-09-06", "2004-02-29", "2005-02-29", "1900-02-29", "2000-02-29", "1970-01-01", "0001-01-01", "0000-01-01"]
DATES += ["9999-12-31", "2005-13-01", "2005-00-10", "2005-01-00", "2005-04-31", "2005-1-01", "2005-01-1", "205-01-01"]
DATES += [
    "2005-01-011",
    "2005/01/01",
    "2005- 1-01",
    " 2005-01-01",
    "2005-01-01 ",
    "20050101",
    "2005-W01-1",
    "",
    "２005-01-01",
    LATEST_DAY.isoformat(),
    (LATEST_DAY + timedelta(days=1)).isoformat(),
]
SECONDS = ["0", "1", "964982703", "1000000000", str(LATEST_SECONDS), str(LATEST_SECONDS + 1), "9999999999"]
SECONDS += ["10000000000", "00964982703", "0964982703", "-1", "+1", "1.5", "", " 7", "7 ", "٧", "964982703\x00"]
ENDS = ["", "", "", "\r", "\r\r", " ", "\t", ",", ":", ": ", "\x00", "\x85", "\xa0", "x", "\r "]
HEADERS = ["1:", "17770:", "0:", ":", "1 :", " 1:", "1::", "1:\r", "1: \r", "x:", "1", f"{LARGEST_ID}:", "2147483648:"]
HEADERS += ["0000000001:", "00000000001:", "1:5", "", " ", "\r", "\r\r", "\t", "9999999999:"]


def netflix_texts(kind: tuple[bool, bool]) -> st.SearchStrategy[str]:
    fields = [IDS, *([STARS] if kind[0] else []), *([DATES] if kind[1] else [])]
    records = st.tuples(*map(st.sampled_from, fields), st.sampled_from(ENDS))
    return st.one_of(records.map(lambda parts: ",".join(parts[:-1]) + parts[-1]), st.sampled_from(HEADERS))


def movielens_texts(separator: str) -> st.SearchStrategy[str]:
    records = st.tuples(*map(st.sampled_from, [IDS, IDS, STARS, SECONDS, ENDS]))
    return records.map(lambda parts: separator.join(parts[:-1]) + parts[-1])


def broken(texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Texts as bytes, up to three of them changed."""
    edit = st.tuples(
        st.integers(0, 30), st.integers(0, 2), st.sampled_from([b"", *(bytes([byte]) for byte in b"0159,:-. \r\t\xff")])
    )

    def apply(line: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
        for place, removed, added in edits:
            line = line[:place] + added + line[place + removed :]
        return line

    lines = texts.map(str.encode)
    return st.one_of(
        lines,
        st.builds(apply, lines, st.lists(edit, min_size=1, max_size=3)),
        st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"")),
    )


def scan(lines: Lines, data: bytes, size: int = 10) -> tuple[int, list[tuple[int, int, float, int]], int]:
    """Where the kernel stopped, the records it read, and how much structure."""
    out = np.zeros(size, RATING)
    position, count, structure = lines.scan(np.frombuffer(data, np.uint8), 0, out, 0)
    assert not out[count:].view(np.uint8).any()
    return position, out[:count].tolist(), structure


def judge(lines: Lines, line: bytes, number: int = 2) -> Judgement:
    return lines.judge(line.decode(errors="replace").removesuffix("\r"), number)


def require_agreement(kernel: Lines, plain: Lines, line: bytes, *, taken: bool = False) -> None:
    """The kernel leaves a line (unless it has to be `taken`) or says what the judge says."""
    position, records, structure = scan(kernel, line + b"\n")
    judgement = judge(plain, line)
    if position == 0:
        assert (records, structure, taken) == ([], 0, False)
        assert judge(kernel, line) == judgement
    else:
        assert position == len(line) + 1
        assert (records, structure) == (([], 1) if judgement == "" else ([judgement], 0))


def open_netflix(kind: tuple[bool, bool], movie: int | None, latest: int = LATEST) -> NetflixLines:
    lines = NetflixLines(rated=kind[0], dated=kind[1], latest=latest)
    if movie is not None:
        assert scan(lines, f"{movie}:\n".encode()) == (len(str(movie)) + 2, [], 1)
    return lines


@settings(deadline=None, max_examples=400)
@given(data=st.data(), kind=st.sampled_from(KINDS), movie=st.sampled_from([None, 7]))
def test_netflix_lines_are_taken_as_judged_or_left(data: st.DataObject, kind: tuple[bool, bool], movie: int) -> None:
    kernel, plain = open_netflix(kind, movie), open_netflix(kind, movie)
    for line in data.draw(st.lists(broken(netflix_texts(kind)), min_size=1, max_size=4)):
        require_agreement(kernel, plain, line)
    # Both know the same movie.
    require_agreement(kernel, plain, b"5" + b",3" * kind[0] + b",2005-01-01" * kind[1])


@settings(deadline=None, max_examples=400)
@given(data=st.data(), separator=st.sampled_from(SEPARATORS))
def test_movielens_lines_are_taken_as_judged_or_left(data: st.DataObject, separator: str) -> None:
    line = data.draw(broken(movielens_texts(separator)))
    require_agreement(MovieLensLines(separator, LATEST), MovieLensLines(separator, LATEST), line)


@pytest.mark.parametrize("kind", KINDS)
def test_all_odd_netflix_lines_are_taken_as_judged_or_left(kind: tuple[bool, bool]) -> None:
    fields = [IDS, *([STARS] if kind[0] else []), *([DATES] if kind[1] else [])]
    good = ["5", *(["3"] if kind[0] else []), *(["2005-09-06"] if kind[1] else [])]
    lines = {",".join([*good[:at], odd, *good[at + 1 :]]) for at, values in enumerate(fields) for odd in values}
    for line, end in product(sorted(lines) + HEADERS, sorted(set(ENDS))):
        require_agreement(open_netflix(kind, 7), open_netflix(kind, 7), (line + end).encode())


@pytest.mark.parametrize("separator", SEPARATORS)
def test_all_odd_movielens_lines_are_taken_as_judged_or_left(separator: str) -> None:
    good = ["5", "47", "3.5", "964982703"]
    lines = {
        separator.join([*good[:at], odd, *good[at + 1 :]])
        for at, values in enumerate([IDS, IDS, STARS, SECONDS])
        for odd in values
    }
    for line, end in product(sorted(lines), sorted(set(ENDS))):
        lines = MovieLensLines(separator, LATEST)
        require_agreement(lines, lines, (line + end).encode())


ids = st.integers(1, LARGEST_ID)
ends = st.sampled_from(["", "\r"])


@settings(deadline=None, max_examples=300)
@given(kind=st.sampled_from(KINDS), movie=ids, user=ids, stars=st.integers(1, 5), day=st.dates(), end=ends)
def test_canonical_netflix_lines_are_taken(
    kind: tuple[bool, bool], movie: int, user: int, stars: int, day: date, end: str
) -> None:
    kernel, plain = (open_netflix(kind, None, milliseconds_of(NEVER)) for _ in range(2))
    record = f"{user}{f',{stars}' * kind[0]}{f',{day.isoformat()}' * kind[1]}{end}"
    for line in (end, f"{movie}:{end}", record):
        require_agreement(kernel, plain, line.encode(), taken=True)
    at = (day - EPOCH).days * DAY if kind[1] else 0
    assert judge(plain, record.encode()) == (user, movie, stars if kind[0] else 0, at)


@settings(deadline=None, max_examples=300)
@given(
    separator=st.sampled_from(SEPARATORS),
    user=ids,
    movie=ids,
    halves=st.integers(1, 10),
    seconds=st.integers(0, LATEST_SECONDS),
    end=ends,
)
def test_canonical_movielens_lines_are_taken(
    separator: str, user: int, movie: int, halves: int, seconds: int, end: str
) -> None:
    lines = MovieLensLines(separator, LATEST)
    texts = {f"{halves / 2}", f"{halves / 2:g}"}
    for stars in texts:
        line = separator.join(map(str, (user, movie, stars, seconds))) + end
        require_agreement(lines, lines, line.encode(), taken=True)
        assert judge(lines, line.encode()) == (user, movie, halves / 2, seconds * 1000)


@settings(deadline=None, max_examples=200)
@given(rated=st.booleans(), day=st.dates(date(1970, 1, 2), date(9999, 12, 31)), into=st.integers(0, DAY - 1))
def test_a_date_is_taken_from_its_midnight_on(rated: bool, day: date, into: int) -> None:
    kind = (rated, True)
    midnight = (day - EPOCH).days * DAY
    line = f"5{',3' * rated},{day.isoformat()}".encode()
    lines = open_netflix(kind, 7, midnight + into)
    require_agreement(lines, lines, line, taken=True)
    assert judge(lines, line) == (5, 7, 3 * rated, midnight)
    before = open_netflix(kind, 7, midnight - 1)
    assert scan(before, line + b"\n") == (0, [], 0)
    assert judge(before, line) == IN_THE_FUTURE


@settings(deadline=None, max_examples=200)
@given(separator=st.sampled_from(SEPARATORS), seconds=st.integers(1, 10**10 - 1), into=st.integers(0, 999))
def test_a_second_is_taken_from_its_beginning_on(separator: str, seconds: int, into: int) -> None:
    line = separator.join(map(str, (5, 7, 3.5, seconds))).encode()
    lines = MovieLensLines(separator, seconds * 1000 + into)
    require_agreement(lines, lines, line, taken=True)
    assert judge(lines, line) == (5, 7, 3.5, seconds * 1000)
    before = MovieLensLines(separator, seconds * 1000 - 1)
    assert scan(before, line + b"\n") == (0, [], 0)
    assert judge(before, line) == IN_THE_FUTURE


def month_ends(year: int, month: int) -> tuple[date, date]:
    following = date(year + month // 12, month % 12 + 1, 1) if (year, month) != (9999, 12) else None
    return date(year, month, 1), following - timedelta(days=1) if following else date(9999, 12, 31)


def test_the_ends_of_all_months_from_year_1_to_9999_are_read() -> None:
    days = [day for year in range(1, 10_000) for month in range(1, 13) for day in month_ends(year, month)]
    data = "7:\n" + "".join(f"5,3,{day.isoformat()}\n" for day in days)
    out = np.zeros(len(days) + 1, RATING)
    array, latest = np.frombuffer(data.encode(), np.uint8), milliseconds_of(NEVER) // DAY
    position, movie, count, structure = scan_netflix(array, 0, -1, True, True, latest, out, 0)
    assert (position, movie, count, structure) == (len(data), 7, len(days), 1)
    assert out["at"][:count].tolist() == [(day.toordinal() - EPOCH.toordinal()) * DAY for day in days]


def test_days_that_are_none_are_left() -> None:
    wrong = [
        f"{year:04}-{month:02}-{day:02}"
        for year in range(10_000)
        for month in range(14)
        for day in ((0, month_ends(year, month)[1].day + 1) if year and 1 <= month <= 12 else (0, 1, 31))
    ]
    line = "5,3,2005-01-01\n"
    data = np.frombuffer("".join(f"5,3,{day}\n" for day in wrong).encode(), np.uint8)
    out, latest = np.zeros(1, RATING), milliseconds_of(NEVER) // DAY
    for number, day in enumerate(wrong):
        position, _, count, _ = scan_netflix(data, number * len(line), 7, True, True, latest, out, 0)
        assert (position, count) == (number * len(line), 0), day


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_without_its_end_is_left(kind: tuple[bool, bool]) -> None:
    record = b"5" + b",3" * kind[0] + b",2005-01-01" * kind[1] + b"\r\n"
    for line in (b"17770:\r\n", record, b"\r\n"):
        for end in range(len(line)):
            lines = open_netflix(kind, 7)
            out = np.zeros(2, RATING)
            # More follows in memory, beyond the array's end.
            assert lines.scan(np.frombuffer(line + b"\n", np.uint8)[:end], 0, out, 0) == (0, 0, 0)


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_movielens_line_without_its_end_is_left(separator: str) -> None:
    line = separator.join(["5", "47", "3.5", "964982703"]).encode() + b"\r\n"
    for end in range(len(line)):
        out = np.zeros(2, RATING)
        lines = MovieLensLines(separator, LATEST)
        assert lines.scan(np.frombuffer(line, np.uint8)[:end], 0, out, 0) == (0, 0, 0)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_kernel_stops_when_the_records_are_full_and_goes_on_from_there(size: int) -> None:
    netflix = b"7:\n1,3,2005-01-01\n\n2,3,2005-01-02\n8:\n3,3,2005-01-03\n4,3,2005-01-04\n\n"
    movielens = b"".join(b"%d,7,3,9\n" % user for user in range(1, 5))
    for lines, content, structure in (
        (open_netflix(RATINGS, None), netflix, 4),
        (MovieLensLines(",", LATEST), movielens, 0),
    ):
        data = np.frombuffer(content, np.uint8)
        out = np.zeros(size, RATING)
        position, users, found = 0, [], 0
        while position < len(data):
            before = position
            position, count, some = lines.scan(data, position, out, 0)
            assert position > before
            users += out["userId"][:count].tolist()
            found += some
            full = lines.scan(data, position, out, size)
            assert full == (position, size, 0)
        assert (users, found) == ([1, 2, 3, 4], structure)
