"""The Netflix Prize's files, well-formed and broken, against a reader that is written here line by line."""

import re
import tempfile
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loader_tools import read_folder

from loader.formats.accounts import Account, Reject
from loader.staging.report import Report
from loader.staging.stage import NoRatingsError, stage

Rating = tuple[int, int, int, str]  # user, movie, stars, date

NO_RATING = "not of the form CustomerID,Rating,YYYY-MM-DD"
NO_HEADER = "neither of the form MovieID: nor CustomerID,Rating,YYYY-MM-DD"
NO_MOVIE = "no readable MovieID: line before it"
GOOD = b"1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n\n885013,4,2005-10-19\n"
GOOD_RATINGS = [(1488844, 1, 3, "2005-09-06"), (822109, 1, 5, "2005-05-13"), (885013, 2, 4, "2005-10-19")]


@dataclass
class Found:
    """What came of one file."""

    ratings: list[Rating]
    rejects: list[tuple[int, str]]
    lines: int
    structure: int
    size: int


def read(
    folder: Path, content: bytes, block_bytes: int = 1 << 20, buffered: int = 1000, name: str = "combined_data_1.txt"
) -> Found:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    result = read_folder(folder, block_bytes, buffered)
    assert all(reject.file == str(file) for reject in result.rejects)
    account = result.accounts["ratings"]
    assert account.rejected == len(result.rejects)
    return Found(
        [readable(*record) for record in result.records],
        [(reject.line, reject.reason) for reject in result.rejects],
        account.lines,
        account.structure,
        result.size,
    )


def readable(user: int, movie: int, stars: float, at: int) -> Rating:
    moment = datetime(1970, 1, 1) + timedelta(milliseconds=at)
    assert stars.is_integer()
    assert moment == datetime.combine(moment.date(), datetime.min.time())
    return user, movie, int(stars), moment.date().isoformat()


def read_movies(
    folder: Path, content: bytes, name: str = "movie_titles.csv"
) -> tuple[list[tuple[int, str, int | None]], list[Reject]]:
    (folder / "combined_data_1.txt").write_bytes(GOOD)
    (folder / name).write_bytes(content)
    result = read_folder(folder)
    account = result.accounts["movies"]
    assert all(genres == [] for *_, genres in result.movies)
    assert (account.loaded, account.rejected) == (len(result.movies), len(result.rejects))
    assert account.lines == account.loaded + account.duplicates + account.rejected + account.structure
    return [(movie, title, year) for movie, title, year, _ in result.movies], result.rejects


@pytest.mark.parametrize("name", ["combined_data_1.txt", "training_set/mv_0000001.txt"])
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (GOOD, 6),
        (GOOD.replace(b"\n", b"\r\n"), 6),
        (b"\xef\xbb\xbf" + GOOD, 6),
        (GOOD.removesuffix(b"\n"), 6),
        (b"\n \r\n" + GOOD + b"\n\n", 10),
        (GOOD.replace(b",", b" , ").replace(b":", b" : "), 6),
    ],
    ids=["plain", "CRLF", "byte order mark", "no final newline", "blank lines", "spaces"],
)
def test_reads_ratings(tmp_path: Path, name: str, content: bytes, lines: int) -> None:
    found = read(tmp_path, content, name=name)
    assert found.ratings == GOOD_RATINGS
    assert found.rejects == []
    assert (found.lines, found.structure, found.size) == (lines, lines - 3, len(content))


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    found = read(tmp_path, b"")
    assert (found.ratings, found.rejects, found.lines, found.structure) == ([], [], 0, 0)


def test_combined_files_go_before_the_training_set_and_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "training_set").mkdir()
    (tmp_path / "training_set" / "mv_0000002.txt").write_bytes(b"9:\n2,3,2005-01-01\n")
    (tmp_path / "training_set" / "mv_0000001.txt").write_bytes(b"9:\n1,3,2005-01-01\n")
    assert [user for user, *_ in read_folder(tmp_path).records] == [1, 2]
    assert caplog.messages == []
    for number in (2, 1):
        (tmp_path / f"combined_data_{number}.txt").write_bytes(f"9:\n1{number},3,2005-01-01\n".encode())
    result = read_folder(tmp_path)
    assert [user for user, *_ in result.records] == [11, 12]
    assert result.accounts["ratings"] == Account(lines=4, structure=2)
    assert len(caplog.messages) == 1
    for number, message in enumerate(caplog.messages, start=1):
        assert str(tmp_path / "training_set" / f"mv_000000{number}.txt") in message
        assert "combined_data_*.txt" in message


@pytest.mark.parametrize(
    "header", [b"x:", b":", b"0:", b"-1:", b"2.0:", b"2::", b"2147483648:", b"9" * 30 + b":", b"2", b"2\xe9:"]
)
def test_ratings_after_a_bad_header_are_rejected(tmp_path: Path, header: bytes) -> None:
    found = read(tmp_path, b"1:\n5,3,2005-01-01\n" + header + b"\n6,4,2005-01-02\n7,1,2005-01-03\n3:\n8,2,2005-01-04")
    assert found.ratings == [(5, 1, 3, "2005-01-01"), (8, 3, 2, "2005-01-04")]
    assert found.rejects == [(3, NO_HEADER), (4, NO_MOVIE), (5, NO_MOVIE)]
    assert (found.lines, found.structure) == (7, 2)


def test_the_largest_ids_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, b"2147483647:\n2147483647,3,2005-01-01\n")
    assert found.ratings == [(2147483647, 2147483647, 3, "2005-01-01")]


def test_ratings_before_any_header_are_rejected(tmp_path: Path) -> None:
    assert read(tmp_path, b"5,3,2005-01-01\n1:\n6,3,2005-01-01").rejects == [(1, NO_MOVIE)]


def test_no_movie_is_carried_over_to_the_next_file(tmp_path: Path) -> None:
    files = [tmp_path / f"combined_data_{number}.txt" for number in (1, 2)]
    for file in files:
        file.write_bytes(b"5,3,2005-01-01\n1:\n6,3,2005-01-01\n")
    rejects = read_folder(tmp_path).rejects
    assert [(reject.file, reject.line, reject.reason) for reject in rejects] == [
        (str(file), 1, NO_MOVIE) for file in files
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"5,3", NO_RATING),
        (b"5,3,2005-01-01,", NO_RATING),
        (b"5,3,2005-01-01,9", NO_RATING),
        (b",,,", NO_RATING),
        (b"0,3,2005-01-01", "user id is no positive integer"),
        (b"-5,3,2005-01-01", "user id is no positive integer"),
        (b"2147483648,3,2005-01-01", "user id is no positive integer"),
        (b"9" * 40 + b",3,2005-01-01", "user id is no positive integer"),
        (b"5.0,3,2005-01-01", "user id is no positive integer"),
        (b"\xe9,3,2005-01-01", "user id is no positive integer"),
        (b",3,2005-01-01", "user id is no positive integer"),
        (b"5,0,2005-01-01", "rating is out of range"),
        (b"5,6,2005-01-01", "rating is out of range"),
        (b"5,-3,2005-01-01", "rating is out of range"),
        (b"5,3.5,2005-01-01", "rating is out of range"),
        (b"5,x,2005-01-01", "rating is out of range"),
        (b"5,,2005-01-01", "rating is out of range"),
        (b"5,3,", "date is unreadable"),
        (b"5,3,2005-02-30", "date is unreadable"),
        (b"5,3,2005-13-01", "date is unreadable"),
        (b"5,3,2005-01", "date is unreadable"),
        (b"5,3,06.09.2005", "date is unreadable"),
        (b"5,3,2005-01-01T00:00", "date is unreadable"),
        (b"5,3,2005-01-01\x00", "date is unreadable"),
        (b"5,3,0000-01-01", "date is unreadable"),
        (b"5,3,-001-01-01", "date is unreadable"),
        (b"5,3,2005- 1-01", "date is unreadable"),
        (b"5,3,2005-1-1", "date is unreadable"),
        (b"5,3,205-01-01", "date is unreadable"),
        (b"5,3,20050-01-01", "date is unreadable"),
        (b"5,3,2005-01-001", "date is unreadable"),
        (b"5,3,20050101", "date is unreadable"),
        (b"5,3,2005-W01-1", "date is unreadable"),
        (b"5,3,2005/01/01", "date is unreadable"),
        ("5,3,٢٠٠٥-01-01".encode(), "date is unreadable"),
        (b"+5,3,2005-01-01", "user id is no positive integer"),
        ("٥,3,2005-01-01".encode(), "user id is no positive integer"),
        ("5,٣,2005-01-01".encode(), "rating is out of range"),
    ],
)
def test_a_bad_line_is_rejected_and_costs_no_other(tmp_path: Path, line: bytes, reason: str) -> None:
    found = read(tmp_path, b"1:\n4,2,2005-01-01\n" + line + b"\n6,4,2005-01-02\n")
    assert found.ratings == [(4, 1, 2, "2005-01-01"), (6, 1, 4, "2005-01-02")]
    assert found.rejects == [(3, reason)]


@pytest.mark.parametrize("end", ["\n", " \r\n"], ids=["well-formed", "with a blank"])
def test_a_date_whose_midnight_is_ahead_is_rejected_and_costs_no_other(tmp_path: Path, end: str) -> None:
    days = ["2026-03-01", "2026-03-02", "2026-02-28", "9999-12-31", "2030-01-01"]
    file = tmp_path / "combined_data_1.txt"
    file.write_text("1:\n" + "".join(f"{user},3,{day}{end}" for user, day in enumerate(days, start=1)), newline="")
    for latest, taken in (
        (datetime(2026, 3, 1, 23, 59), {1, 3}),
        (datetime(2026, 3, 2), {1, 2, 3}),
        (datetime(2026, 2, 28), {3}),
    ):
        read = read_folder(tmp_path, latest=latest)
        assert {user for user, *_ in read.records} == taken
        assert read.rejects == [
            Reject(str(file), 1 + user, "date is in the future", f"{user},3,{day}{end.rstrip(chr(10) + chr(13))}")
            for user, day in enumerate(days, start=1)
            if user not in taken
        ]


def test_a_reject_says_what_the_line_says(tmp_path: Path) -> None:
    file = tmp_path / "combined_data_1.txt"
    file.write_bytes(b"1:\r\n5,9,2005-01-01\r\n" + b"x" * 1000 + b",\r\n")
    assert read_folder(tmp_path).rejects == [
        Reject(str(file), 2, "rating is out of range", "5,9,2005-01-01"),
        Reject(str(file), 3, NO_RATING, "x" * 200),
    ]


@pytest.mark.parametrize("buffered", [1, 2, 3, 1000])
@pytest.mark.parametrize("block_bytes", [1, 2, 5, 17, 18, 19, 40, 1 << 20])
def test_blocks_and_full_buffers_make_no_difference(tmp_path: Path, block_bytes: int, buffered: int) -> None:
    content = (
        b"\xef\xbb\xbf1:\r\n5,3,2005-01-01\r\nbad,\r\n\r\n6,4,2005-01-02\r\nx:\n7,1,2005-01-03\n2:\n8,2,2005-01-04"
    )
    whole = read(tmp_path, content)
    assert whole.ratings == [(5, 1, 3, "2005-01-01"), (6, 1, 4, "2005-01-02"), (8, 2, 2, "2005-01-04")]
    assert read(tmp_path, content, block_bytes, buffered) == whole


def reference(content: bytes) -> tuple[list[Rating], list[int], int, int]:
    """Ratings, rejected lines, number of lines, number of structure lines."""
    ratings: list[Rating] = []
    rejected: list[int] = []
    structure = 0
    movie = None
    lines = content.decode(errors="replace").removesuffix("\n").split("\n") if content else []
    for number, line in enumerate(lines, start=1):
        fields = [field.strip() for field in line.split(",")]
        if not line.strip():
            structure += 1
        elif len(fields) == 1 or line.strip().endswith(":"):
            found = re.fullmatch(r"(\d+)\s*:", line.strip(), re.ASCII)
            movie = int(found[1]) if found and 1 <= int(found[1]) < 2**31 else None
            structure += movie is not None
            if movie is None:
                rejected.append(number)
        elif (
            movie
            and len(fields) == 3
            and is_id(fields[0])
            and re.fullmatch("0*[1-5]", fields[1])
            and is_date(fields[2])
        ):
            year, month, day = map(int, fields[2].split("-"))
            ratings.append((int(fields[0]), movie, int(fields[1]), date(year, month, day).isoformat()))
        else:
            rejected.append(number)
    return ratings, rejected, len(lines), structure


def is_id(text: str) -> bool:
    return bool(re.fullmatch("[0-9]+", text)) and 1 <= int(text) < 2**31


def is_date(text: str) -> bool:
    found = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", text)
    try:
        return bool(found) and bool(date(*map(int, found.groups())))
    except ValueError:
        return False


GENUINE = (
    b"1:\n1488844,3,2005-09-06\r\n822109,5,2005-05-13\n\n"
    b"2:\n885013,4,2005-10-19\n30878,1,1999-12-31\n17770:\n7,2,2004-02-29\n"
)
# At a place remove so many bytes and put others there.
edits = st.lists(
    st.tuples(
        st.integers(0, len(GENUINE)),
        st.sampled_from([0, 1, 5]),
        st.sampled_from([b"", *(bytes([byte]) for byte in b"0129,:- x\r\n\xe9\xff")]),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(edits=edits, block_bytes=st.sampled_from([1, 50, 1 << 20]), buffered=st.sampled_from([1, 2, 1000]))
def test_whatever_breaks_every_line_is_accounted_for(
    edits: list[tuple[int, int, bytes]], block_bytes: int, buffered: int
) -> None:
    content = GENUINE
    for place, removed, added in edits:
        content = content[:place] + added + content[place + removed :]
    ratings, rejected, lines, structure = reference(content)
    pairs = len({(user, movie) for user, movie, _, _ in ratings})
    with tempfile.TemporaryDirectory() as folder:
        found = read(Path(folder), content, block_bytes, buffered)
        if ratings:
            account = Report.of(stage(Path(folder), Path(folder) / "staging", quiet=True)).accounts["ratings"]
            assert account == Account(lines, pairs, len(ratings) - pairs, len(rejected), structure)
            assert account.lines == account.loaded + account.duplicates + account.rejected + account.structure
        else:
            with pytest.raises(NoRatingsError):
                stage(Path(folder), Path(folder) / "staging", quiet=True)
    assert found.ratings == ratings
    assert [line for line, _ in found.rejects] == rejected
    assert (found.lines, found.structure, found.size) == (lines, structure, len(content))


def test_titles(tmp_path: Path) -> None:
    movies, rejects = read_movies(
        tmp_path,
        b"1,2003,Dinosaur Planet\n"
        b"2,NULL,Isle of Man TT 2004, Review, The\r\n"
        b"3,1997,Am\xe9lie\n"
        b'4,1994,Paula "Abdul"\n'
        b"5,,No year\n"
        b"6,1999.0,A year like none\n"
        b" 7 , 2001 , Spaces \n"
        b"17770,2003,Alien Hunter",
    )
    assert movies == [
        (1, "Dinosaur Planet", 2003),
        (2, "Isle of Man TT 2004, Review, The", None),
        (3, "Amélie", 1997),
        (4, 'Paula "Abdul"', 1994),
        (5, "No year", None),
        (6, "A year like none", None),
        (7, "Spaces", 2001),
        (17770, "Alien Hunter", 2003),
    ]
    assert rejects == []


def test_bad_titles_are_rejected_and_cost_no_others(tmp_path: Path) -> None:
    bad = [
        b"MovieID,Year,Title",
        b"x,1999,X",
        b"0,1999,X",
        b"-1,1999,X",
        b"2147483648,1999,X",
        b"9" * 5000 + b",1999,X",
        b"8,1999",
        b"8,1999,",
        b"8,1999, ",
        b"8",
    ]
    movies, rejects = read_movies(tmp_path, b"\n".join([b"1,1999,One", *bad, b"", b"2,2000,Two"]))
    assert movies == [(1, "One", 1999), (2, "Two", 2000)]
    assert [(reject.file, reject.line, reject.reason, reject.text) for reject in rejects] == [
        (str(tmp_path / "movie_titles.csv"), line, "not of the form MovieID,Year,Title", text.decode()[:200])
        for line, text in enumerate(bad, start=2)
    ]


def test_every_line_of_the_titles_is_accounted_for(tmp_path: Path) -> None:
    (tmp_path / "combined_data_1.txt").write_bytes(GOOD)
    (tmp_path / "movie_titles.csv").write_bytes(b"\n1,1999,One\r\n\r\nbad\n1,2000,Again\n \n2,2000,Two\n")
    accounts = read_folder(tmp_path).accounts
    assert accounts["movies"] == Account(lines=7, loaded=2, duplicates=1, rejected=1, structure=3)


@pytest.mark.parametrize("byte", [b"\x85", b"\x0b", b"\x0c", b"\x1c", b"\x1e"])
def test_only_newlines_end_a_title(tmp_path: Path, byte: bytes) -> None:
    movies, rejects = read_movies(tmp_path, b"1,1999,Wait" + byte + b"What\n2,2000,Two\nbad\n")
    assert movies == [(1, f"Wait{byte.decode('latin-1')}What", 1999), (2, "Two", 2000)]
    assert [reject.line for reject in rejects] == [3]


@pytest.mark.parametrize("year", [b"99999999999", b"9" * 5000, b"0", b"-5", b"\xb2"])
def test_an_absurd_year_is_none(tmp_path: Path, year: bytes) -> None:
    assert read_movies(tmp_path, b"1," + year + b",X")[0] == [(1, "X", None)]


def test_of_a_movie_that_comes_twice_the_first_title_counts(tmp_path: Path) -> None:
    assert read_movies(tmp_path, b"1,1999,First\n2,1999,Other\n1,2000,Second")[0] == [
        (1, "First", 1999),
        (2, "Other", 1999),
    ]


@pytest.mark.parametrize("name", ["movie_titles.csv", "movie_titles.txt"])
def test_finds_the_titles_by_either_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "combined_data_1.txt").write_bytes(GOOD)
    assert read_folder(tmp_path).movies == []
    assert read_movies(tmp_path, b"1,1999,One", name)[0] == [(1, "One", 1999)]
