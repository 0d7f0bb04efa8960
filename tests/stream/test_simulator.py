"""The stand-in for the live API: its wire format, its limit, and people who watch as people do."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise

import pytest
import requests
from conftest import Clock
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from common.settings import Settings
from common.times import utc_now
from graph.repositories.interactions import LARGEST_ID
from graph.repositories.movies import Movie, NamedMovie
from stream.decoding import COLUMNS, FeedError, decode_answer
from stream.feed import FeedClient
from stream.replay import Replay
from stream.simulator import PATH, UNKNOWN_IDS, Audience, create_simulator

FUTURE = Settings().future


def movie_of(number: int, ratings: int, title: str | None = None, year: int | None = None) -> Movie:
    return Movie(
        movie_id=number, title=title, year=year, genres=[], available=True, rating_count=ratings, rating_mean=3.5
    )


USERS = list(range(1, 101))
MOVIES = [
    movie_of(1, 16 * 256, "Blockbuster, The", 1999),
    movie_of(2, 256, 'Café "Noir" & Öl'),
    movie_of(3, 1, year=2001),
]
Watching = list[tuple[int, NamedMovie]]


def audience(seed: int = 1, size: int = 10, seconds: float = 30.0, users: list[int] | None = None) -> Audience:
    return Audience(USERS if users is None else users, MOVIES, size, seconds, seed)


def play(watched: Audience, seconds: float, step: float = 1.0) -> list[Watching]:
    return [watched.watching(1000.0 + number * step) for number in range(int(seconds / step))]


def client(watched: Audience, calls_per_minute: int, clock: Clock) -> FlaskClient:
    return create_simulator(watched, calls_per_minute, clock).test_client()


def test_its_answer_is_what_our_decoder_reads() -> None:
    response = client(audience(size=300), 5, Clock()).get(PATH)
    assert (response.status_code, response.content_type) == (200, "application/json")
    body = response.get_json()
    assert isinstance(body, str)
    answer = decode_answer(response.data, utc_now(), FUTURE)
    assert answer.unreadable == []
    expected = audience(size=300).watching(Clock().now)
    assert [(event.user_id, event.movie_id, event.title, event.year) for event in answer.sightings] == [
        (user, movie.movie_id, movie.title, movie.year) for user, movie in expected
    ]
    assert {movie.movie_id for _, movie in expected} >= {1, 2}
    assert {abs((utc_now() - event.at).total_seconds()) < 60 for event in answer.sightings} == {True}


def test_its_columns_come_in_the_order_of_the_real_ones() -> None:
    response = client(audience(), 5, Clock()).get(PATH)
    assert response.get_json().startswith(
        '{"columns": ["YearRelease", "Name", "current_time", "customerID"], "index": ['
    )
    assert COLUMNS == ("YearRelease", "Name", "current_time", "customerID")


def test_nobody_watching_is_an_empty_frame() -> None:
    assert decode_answer(client(audience(size=0), 5, Clock()).get(PATH).data, utc_now(), FUTURE).sightings == []


@pytest.mark.parametrize("calls", [1, 5])
def test_calls_past_the_limit_are_refused_until_a_minute_is_over(calls: int) -> None:
    clock = Clock()
    api = client(audience(), calls, clock)
    assert [api.get(PATH).status_code for _ in range(calls)] == [200] * calls
    clock.now += 20.5
    refused = api.get(PATH)
    assert refused.status_code == 429
    wait = int(refused.headers["Retry-After"])
    clock.now += wait - 1
    assert api.get(PATH).status_code == 429
    clock.now += 1
    assert [api.get(PATH).status_code for _ in range(calls + 1)] == [200] * calls + [429]


def test_refused_calls_do_not_count() -> None:
    clock = Clock()
    api = client(audience(), 2, clock)
    statuses = []
    for _ in range(13):
        statuses.append(api.get(PATH).status_code)
        clock.now += 10
    assert statuses == [200, 200, 429, 429, 429, 429] * 2 + [200]


def test_our_client_follows_it_over_http_and_hears_its_limit() -> None:
    server = make_server("127.0.0.1", 0, create_simulator(audience(), 1), threaded=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        with requests.Session() as session:
            feed = FeedClient(f"http://127.0.0.1:{server.server_port}{PATH}", session, FUTURE)
            assert len(feed.fetch().sightings) == 10
            with pytest.raises(FeedError, match="429") as caught:
                feed.fetch()
        assert caught.value.retry_after == pytest.approx(60, abs=2)
    finally:
        server.shutdown()
        server.server_close()


def test_the_same_seed_plays_the_same_viewings() -> None:
    assert play(audience(seed=3), 300) == play(audience(seed=3), 300)
    assert play(audience(seed=3), 300) != play(audience(seed=4), 300)


def test_unknown_users_and_movies_occur_now_and_then() -> None:
    viewings = {viewing_key(viewing) for watching in play(audience(), 3000) for viewing in watching}
    users = {user for user, _ in viewings}
    movies = {movie for _, movie in viewings}
    assert 0.01 < sum(user >= UNKNOWN_IDS for user, _ in viewings) / len(viewings) < 0.2
    assert 0.01 < sum(movie >= UNKNOWN_IDS for _, movie in viewings) / len(viewings) < 0.2
    assert {user for user in users if user < UNKNOWN_IDS} <= set(USERS)
    assert {1, 2} <= {movie for movie in movies if movie < UNKNOWN_IDS} <= {1, 2, 3}
    assert max(users | movies) <= LARGEST_ID


def viewing_key(viewing: tuple[int, Movie]) -> tuple[int, int]:
    return viewing[0], viewing[1].movie_id


def long_run(seed: int) -> Audience:
    return Audience(USERS, MOVIES, 20, 30.0, seed, current=0.0)


def test_movies_that_many_have_rated_are_watched_more() -> None:
    seen = Counter(movie.movie_id for seed in range(200) for _, movie in long_run(seed).watching(0.5))
    assert seen[1] > 4 * seen[2] > 4 * seen[3]
    assert seen[2] > 0.05 * seen[1]


def test_people_watch_for_a_while_then_pause_or_watch_another() -> None:
    movies = [movie_of(number, 1) for number in range(1, 10_001)]
    history = play(Audience(USERS, movies, 5, 30.0, 1), 2000, step=0.5)
    assert min(map(len, history)) < 5 == max(map(len, history))
    assert 0.5 < sum(map(len, history)) / (5 * len(history)) < 0.95
    lengths = Counter(viewing_key(viewing) for watching in history for viewing in watching)
    ended = [count * 0.5 for key, count in lengths.items() if key not in set(map(viewing_key, history[-1]))]
    assert 0.3 * 30 <= min(ended) <= max(ended) <= 1.7 * 30 + 0.5
    assert 25 < sum(ended) / len(ended) < 35
    shown = [dict(map(viewing_key, watching)) for watching in history]
    followed_at_once = sum(
        user in before and before[user] != movie for before, now in pairwise(shown) for user, movie in now.items()
    )
    assert 0.15 < followed_at_once / len(ended) < 0.45


HOUR = 3600
CATALOGUE = [movie_of(number, 1000 - number) for number in range(1, 501)]


def count_viewings(current: float, hours: int) -> list[Counter[int]]:
    """How often each movie of the catalogue is watched in each hour, by polls every 12 s."""
    watched = Audience(list(range(1, 1001)), CATALOGUE, 10, 30.0, 1, current)
    counts = []
    before: set[tuple[int, int]] = set()
    for hour in range(hours):
        counted: Counter[int] = Counter()
        for poll in range(0, HOUR, 12):
            watching = set(map(viewing_key, watched.watching(1000.0 + hour * HOUR + poll)))
            counted.update(movie for _, movie in watching - before if movie < UNKNOWN_IDS)
            before = watching
        counts.append(counted)
    return counts


def test_a_few_movies_are_current_for_a_while_and_others_later() -> None:
    counts = count_viewings(0.5, hours=8)
    leading = [{movie for movie, _ in counted.most_common(5)} for counted in counts]
    for counted, leaders in zip(counts, leading, strict=True):
        assert sum(counted[movie] for movie in leaders) > 0.25 * counted.total()
        assert len(counted) > 100  # the others spread over the catalogue
    assert all(now & later for now, later in pairwise(leading))
    assert not leading[0] & leading[4]
    assert not leading[2] & leading[7]


def test_nothing_is_current_unless_wanted() -> None:
    (counted,) = count_viewings(0.0, hours=1)
    assert max(counted.values()) < 0.03 * counted.total()
    (counted,) = count_viewings(1.0, hours=1)
    assert len(counted) < 20


def test_a_current_movie_is_watched_by_many_and_not_again_and_again() -> None:
    watched = Audience(list(range(1, 1001)), CATALOGUE, 10, 30.0, 1, 0.5)
    shown = [dict(map(viewing_key, watching)) for watching in play(watched, 2 * HOUR, step=5)]
    begun = Counter(
        (user, movie) for before, now in pairwise(shown) for user, movie in now.items() if before.get(user) != movie
    )
    assert sum(begun.values()) < 1.02 * len(begun)


def test_unreleased_movies_are_few() -> None:
    movies = {movie.movie_id for watching in play(audience(), 20_000, step=10) for _, movie in watching}
    assert 5 < sum(movie >= UNKNOWN_IDS for movie in movies) <= 20


@pytest.mark.parametrize("users", [[], [1], USERS[:7], USERS])
def test_nobody_watches_two_movies_at_once(users: list[int]) -> None:
    watched = audience(size=30, users=users)
    for watching in play(watched, 600, step=5):
        assert len({user for user, _ in watching}) == len(watching)


def test_a_replay_plays_each_rating_once_and_each_users_in_order() -> None:
    users = [1, 1, 2, 1, 3, 4, 2, 1, 5, 2, 6, 7, 8]
    ratings = [(user, movie_of(movie, 1)) for movie, user in enumerate(users, start=1)]
    replay = Replay(ratings, size=3, seconds=30, seed=1)
    rated = [(user, movie.movie_id) for user, movie in ratings]
    played: list[tuple[int, int]] = []
    before: list[tuple[int, int]] = []
    for second in range(600):
        watching = [(user, movie.movie_id) for user, movie in replay.watching(1000.0 + second)]
        assert len({user for user, _ in watching}) == len(watching) <= 3
        played += [one for one in watching if one not in before]
        before = watching
    assert replay.watching(2000.0) == []
    assert Counter(played) == Counter(rated)
    for user in range(1, 9):
        assert [one for one in played if one[0] == user] == [one for one in rated if one[0] == user]
    assert [user for user, _ in played[:3]] == [1, 2, 3]


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], FeedClient]]:
    """A client, with a limit of a second, of a simulator that plays a script."""
    monkeypatch.setattr("stream.faults.LONGEST_SECONDS", 3.0)
    with ExitStack() as stack:

        def start(script: str) -> FeedClient:
            app = create_simulator(audience(), 1000, script=script.split(","))
            server = make_server("127.0.0.1", 0, app, threaded=True)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            session = stack.enter_context(requests.Session())
            return FeedClient(f"http://127.0.0.1:{server.server_port}{PATH}", session, FUTURE, seconds=1.0)

        yield start


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("500", "answered 500"),
        ("429", "answered 429"),
        ("hang", "took longer than 1 s"),
        ("drip", "took longer than 1 s"),
        ("reset", "did not answer: ConnectionError"),
        ("truncated", "did not answer: ProtocolError"),
        ("html", "no split-orient frame"),
        ("columns", "lacks the columns customerID"),
    ],
)
def test_a_fault_is_told_as_what_it_is_and_costs_one_call(
    faulty: Callable[[str], FeedClient], fault: str, told: str
) -> None:
    feed = faulty(f"ok,{fault}")
    for _ in range(2):
        assert len(feed.fetch().sightings) == 10
        with pytest.raises(FeedError, match=told):
            feed.fetch()


def test_rows_may_be_repeated_in_disorder_or_spoiled(faulty: Callable[[str], FeedClient]) -> None:
    feed = faulty("repeated,disorder,spoiled")
    repeated, disordered, spoiled = (feed.fetch() for _ in range(3))
    assert [event.key for event in repeated.sightings[:10]] == [event.key for event in repeated.sightings[10:]]
    assert len(disordered.sightings) == 10
    assert len({event.at for event in disordered.sightings}) == 6
    assert len(spoiled.sightings) == 6
    assert len(spoiled.unreadable) == 4
