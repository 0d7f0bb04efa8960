"""MovieLens files of every age."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from loader_tools import read_folder

from loader.formats.accounts import Account, Reject
from loader.formats.movielens import put_article_first, split_year

CSV, DAT, TABS = "ratings.csv", "ratings.dat", "u.data"
TITLES = {CSV: "movies.csv", DAT: "movies.dat", TABS: "u.item"}
FORMS = {
    CSV: "userId,movieId,rating,timestamp",
    DAT: "userId::movieId::rating::timestamp",
    TABS: "userId\tmovieId\trating\ttimestamp",
}
HEADER = b"userId,movieId,rating,timestamp\n"
MOVIES_HEADER = b"movieId,title,genres\n"
AT = datetime(2000, 7, 30, 18, 45, 3)
Movie = tuple[int, str, int | None, list[str]]


@dataclass
class Found:
    """What came of a ratings file."""

    ratings: list[tuple[int, int, float, datetime]]
    rejects: list[tuple[int, str]]
    lines: int
    structure: int


def read(folder: Path, layout: str, content: bytes, block_bytes: int = 1 << 20, buffered: int = 1000) -> Found:
    (folder / layout).write_bytes(content)
    result = read_folder(folder, block_bytes, buffered)
    records, rejects, account = result.records, result.rejects, result.accounts["ratings"]
    assert all(reject.file == str(folder / layout) for reject in rejects)
    assert (account.rejected, account.lines) == (len(rejects), len(rejects) + len(records) + account.structure)
    return Found(
        [(user, movie, stars, datetime(1970, 1, 1) + timedelta(milliseconds=at)) for user, movie, stars, at in records],
        [(reject.line, reject.reason) for reject in rejects],
        account.lines,
        account.structure,
    )


def read_titles(folder: Path, content: bytes, layout: str = CSV) -> tuple[list[Movie], list[Reject], Account]:
    folder = folder / layout.replace(".", "-")
    folder.mkdir()
    (folder / layout).touch()
    (folder / TITLES[layout]).write_bytes(content)
    result = read_folder(folder)
    account = result.accounts["movies"]
    assert all(reject.file == str(folder / TITLES[layout]) for reject in result.rejects)
    assert account.loaded == len(result.movies)
    assert account.lines == account.loaded + account.duplicates + account.rejected + account.structure
    return result.movies, result.rejects, account


def read_movies(folder: Path, content: bytes, layout: str = CSV) -> tuple[list[Movie], list[Reject]]:
    movies, rejects, account = read_titles(folder, content, layout)
    assert account.rejected == len(rejects)
    return movies, rejects


@pytest.mark.parametrize(
    ("layout", "content", "structure"),
    [
        (CSV, HEADER + b"1,47,4.5,964982703\n610,3,0.5,964982703\n", 1),
        (CSV, (HEADER + b"1,47,4.5,964982703\n610,3,0.5,964982703").replace(b"\n", b"\r\n"), 1),
        (CSV, b"\xef\xbb\xbf" + HEADER + b"1,47,4.5,964982703\n\n610,3,.5,964982703\n", 2),
        (CSV, b"1,47,4.5,964982703\n610,3,0.5,964982703\n", 0),
        (DAT, b"1::47::4.5::964982703\n610::3::0.5::964982703\n", 0),
        (TABS, b"1\t47\t4.5\t964982703\r\n610\t3\t0.5\t964982703\r\n", 0),
    ],
    ids=["csv", "CRLF, no final newline", "byte order mark, blank line", "csv without header", "dat", "tabs"],
)
def test_reads_ratings(tmp_path: Path, layout: str, content: bytes, structure: int) -> None:
    found = read(tmp_path, layout, content)
    assert found.ratings == [(1, 47, 4.5, AT), (610, 3, 0.5, AT)]
    assert (found.rejects, found.lines, found.structure) == ([], 2 + structure, structure)


@pytest.mark.parametrize("buffered", [1, 2, 1000])
@pytest.mark.parametrize("block_bytes", [1, 31, 32, 33, 50, 1 << 20])
def test_a_header_is_structure_in_the_first_line_only(tmp_path: Path, block_bytes: int, buffered: int) -> None:
    content = HEADER + b"1,47,4,964982703\n" + HEADER + b"610,3,5,964982703\n"
    found = read(tmp_path, CSV, content, block_bytes, buffered)
    assert [rating[:2] for rating in found.ratings] == [(1, 47), (610, 3)]
    assert found.rejects == [(3, "user id is no positive integer")]
    assert (found.lines, found.structure) == (4, 1)


@pytest.mark.parametrize("stars", [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5])
def test_half_stars_are_ratings(tmp_path: Path, stars: float) -> None:
    [(_, _, rating, _)] = read(tmp_path, CSV, f"1,47,{stars},964982703".encode()).ratings
    assert rating == stars


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        *(
            (f"1,47,{stars},964982703", "rating is out of range")
            for stars in (0, 0.4, 5.5, 4.7, 6, -3, "x", "nan", "inf", "")
        ),
        ("1,47,4", "not of the form userId,movieId,rating,timestamp"),
        ("1,47,4,964982703,", "not of the form userId,movieId,rating,timestamp"),
        ("1::47::4::964982703", "not of the form userId,movieId,rating,timestamp"),
        ("0,47,4,964982703", "user id is no positive integer"),
        ("x,47,4,964982703", "user id is no positive integer"),
        ("2147483648,47,4,964982703", "user id is no positive integer"),
        ("1,0,4,964982703", "movie id is no positive integer"),
        ("1,2147483648,4,964982703", "movie id is no positive integer"),
        ("1,47.0,4,964982703", "movie id is no positive integer"),
        ("1,47,4,-1", "date is unreadable"),
        ("1,47,4,2000-07-30", "date is unreadable"),
        ("1,47,4,964982703000", "date is unreadable"),
        ("1,47,4,", "date is unreadable"),
        ("1,47,4,96498270x", "date is unreadable"),
        ("1,47,4,964982703.5", "date is unreadable"),
        (",1,47,4,964982703", "not of the form userId,movieId,rating,timestamp"),
        (",47,4,964982703", "user id is no positive integer"),
        ("+1,47,4,964982703", "user id is no positive integer"),
        ("1,٤٧,4,964982703", "movie id is no positive integer"),
        ("1,47,4e0,964982703", "rating is out of range"),
        ("1,47,-0.5,964982703", "rating is out of range"),
    ],
)
def test_a_bad_line_is_rejected_and_costs_no_other(tmp_path: Path, line: str, reason: str) -> None:
    found = read(tmp_path, CSV, HEADER + b"1,1,4,964982703\n" + line.encode() + b"\n2,2,4,964982703\n")
    assert [rating[:2] for rating in found.ratings] == [(1, 1), (2, 2)]
    assert found.rejects == [(3, reason)]


@pytest.mark.parametrize(("layout", "separator"), [(CSV, ","), (DAT, "::"), (TABS, "\t")])
@pytest.mark.parametrize("stars", ["4", "4.00"], ids=["well-formed", "odd"])
def test_a_moment_ahead_is_rejected_and_costs_no_other(tmp_path: Path, layout: str, separator: str, stars: str) -> None:
    latest = datetime(2026, 3, 1, 12)
    moments = [1772366400, 1772366401, 1772366399, 9999999999, 1893456000]
    lines = [separator.join(map(str, (user, 47, stars, at))) for user, at in enumerate(moments, start=1)]
    (tmp_path / layout).write_text("\n".join(lines))
    read = read_folder(tmp_path, latest=latest)
    assert [(user, at) for user, _, _, at in read.records] == [(1, 1772366400_000), (3, 1772366399_000)]
    assert read.rejects == [
        Reject(str(tmp_path / layout), user, "date is in the future", lines[user - 1]) for user in (2, 4, 5)
    ]


@pytest.mark.parametrize(("layout", "bad"), [(DAT, b"1:47:4:964982703"), (TABS, b"1 47 4 964982703")])
def test_another_separator_is_rejected(tmp_path: Path, layout: str, bad: bytes) -> None:
    assert read(tmp_path, layout, bad).rejects == [(1, f"not of the form {FORMS[layout]}")]


@pytest.mark.parametrize(("layout", "separator"), [(CSV, b","), (DAT, b"::"), (TABS, b"\t")])
def test_one_field_more_is_rejected_wherever_it_is(tmp_path: Path, layout: str, separator: bytes) -> None:
    good = separator.join([b"1", b"47", b"4", b"964982703"])
    found = read(tmp_path, layout, b"\n".join([separator + good, good + separator, good + separator + b"9", good]))
    assert found.rejects == [(number, f"not of the form {FORMS[layout]}") for number in (1, 2, 3)]
    assert [rating[:2] for rating in found.ratings] == [(1, 47)]


@pytest.mark.parametrize(("layout", "separator"), [(CSV, ","), (DAT, "::"), (TABS, "\t")])
@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (0, "user id is no positive integer"),
        (1, "movie id is no positive integer"),
        (2, "rating is out of range"),
        (3, "date is unreadable"),
    ],
)
def test_a_line_with_an_empty_field_is_rejected(
    tmp_path: Path, layout: str, separator: str, missing: int, reason: str
) -> None:
    fields = ["1", "47", "4", "964982703"]
    fields[missing] = ""
    assert read(tmp_path, layout, separator.join(fields).encode()).rejects == [(1, reason)]


@pytest.mark.parametrize("layout", [DAT, TABS])
def test_only_ratings_csv_has_a_header(tmp_path: Path, layout: str) -> None:
    assert read(tmp_path, layout, HEADER).rejects == [(1, f"not of the form {FORMS[layout]}")]


def test_titles_of_movies_csv(tmp_path: Path) -> None:
    movies, rejects = read_movies(
        tmp_path,
        MOVIES_HEADER
        + """1,Toy Story (1995),Adventure|Animation
11,"American President, The (1995)",Comedy|Drama|Romance
29,"City of Lost Children, The (Cité des enfants perdus, La) (1995)",Fantasy
40697,Babylon 5,Sci-Fi
152037,Grease Live (2016),(no genres listed)
5,"The ""Fun"" (1999)",

""".replace("\n", "\r\n").encode(),
    )
    assert movies == [
        (1, "Toy Story", 1995, ["Adventure", "Animation"]),
        (5, 'The "Fun"', 1999, []),
        (11, "The American President", 1995, ["Comedy", "Drama", "Romance"]),
        (29, "City of Lost Children, The (Cité des enfants perdus, La)", 1995, ["Fantasy"]),
        (40697, "Babylon 5", None, ["Sci-Fi"]),
        (152037, "Grease Live", 2016, []),
    ]
    assert rejects == []


def test_titles_of_movies_dat_and_u_item_are_latin_1(tmp_path: Path) -> None:
    movies, _ = read_movies(tmp_path, b"1::Am\xe9lie, The (2001)::Comedy|Romance\n2::X (1999)::Drama\n", DAT)
    assert movies == [(1, "The Amélie", 2001, ["Comedy", "Romance"]), (2, "X", 1999, ["Drama"])]
    movies, _ = read_movies(tmp_path, b"1|Caf\xe9 (1995)|01-Jan-1995||http://x|0|1|0\r\n2|X|||0|0\r\n", TABS)
    assert movies == [(1, "Café", 1995, []), (2, "X", None, [])]


@pytest.mark.parametrize(
    "bad",
    ["x,X,Drama", "0,X,Drama", "2147483648,X,Drama", "9" * 5000 + ",X,Drama", "7", '7,"X (1999),Drama', '7,"X"Y,Drama'],
)
def test_a_bad_title_is_rejected_and_costs_no_other(tmp_path: Path, bad: str) -> None:
    movies, rejects = read_movies(tmp_path, MOVIES_HEADER + f"1,One (1999),Drama\n{bad}\n2,Two (2000),Drama\n".encode())
    assert [movie[:2] for movie in movies] == [(1, "One"), (2, "Two")]
    assert [(reject.line, reject.text) for reject in rejects] == [(3, bad[:200])]


def test_a_file_of_one_endless_quote_is_rejected_line_by_line(tmp_path: Path) -> None:
    movies, rejects, account = read_titles(tmp_path, MOVIES_HEADER + b'1,"' + b"x\n" * 80_000)
    assert movies == []
    assert account == Account(lines=80_001, rejected=80_000, structure=1)
    assert [reject.line for reject in rejects] == list(range(2, len(rejects) + 2))


@pytest.mark.parametrize(
    ("layout", "content", "account"),
    [
        (CSV, MOVIES_HEADER + b"1,One,\n\nbad\n1,Again,\r\n \r\n2,Two,", Account(7, 2, 1, 1, 3)),
        (CSV, b"\xef\xbb\xbf" + MOVIES_HEADER, Account(lines=1, structure=1)),
        (DAT, b"1::One::Drama\n\nbad\n1::Again::Drama\n2::Two::\n", Account(5, 2, 1, 1, 1)),
        (TABS, b"1|One|||0|1\nbad\n\n1|Again|||0|1\n2|Two", Account(5, 2, 1, 1, 1)),
        (CSV, b"", Account()),
    ],
)
def test_every_line_of_the_titles_is_accounted_for(
    tmp_path: Path, layout: str, content: bytes, account: Account
) -> None:
    assert read_titles(tmp_path, content, layout)[2] == account


def test_of_a_movie_that_comes_twice_the_first_title_counts(tmp_path: Path) -> None:
    movies, _ = read_movies(tmp_path, MOVIES_HEADER + b"2,Two,\n1,First,A\n1,Second,B\n")
    assert movies == [(1, "First", None, ["A"]), (2, "Two", None, [])]


def test_no_titles_are_no_error(tmp_path: Path) -> None:
    (tmp_path / CSV).touch()
    result = read_folder(tmp_path)
    assert (result.movies, result.rejects) == ([], [])


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Heat (1995)", ("Heat", 1995)),
        (" Heat (1995)  ", ("Heat", 1995)),
        ("(500) Days of Summer (2009)", ("(500) Days of Summer", 2009)),
        ("X (1999) (2000)", ("X (1999)", 2000)),
        ("2012 (2009)", ("2012", 2009)),
        ("1984", ("1984", None)),
        ("(1999)", ("(1999)", None)),
        ("Death Note (2006–2007)", ("Death Note (2006–2007)", None)),
    ],
)
def test_takes_the_year_from_the_title(title: str, expected: tuple[str, int | None]) -> None:
    assert split_year(title) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Matrix, The", "The Matrix"),
        ("Beautiful Mind, A", "A Beautiful Mind"),
        ("American Tail, An", "An American Tail"),
        ("Good, the Bad and the Ugly, The", "The Good, the Bad and the Ugly"),
        ("Me, Myself", "Me, Myself"),
        ("Then There Were None, Theo", "Then There Were None, Theo"),
        ("The", "The"),
    ],
)
def test_moves_the_article_to_the_front(title: str, expected: str) -> None:
    assert put_article_first(title) == expected
