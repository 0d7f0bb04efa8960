"""A stand-in for the Jedha x Netflix API: the same wire format and limit, viewings of the loaded graph's movies.

Each viewer watches a movie for a while, pauses, and watches another, often one that is current. Everything follows from
the seed and the clock.
"""

import json
import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

from flask import Flask, Response

from common.times import utc_now
from graph.repositories.movies import Movie, NamedMovie
from stream.faults import FAULTS, JSON
from stream.premieres import Premieres
from stream.replay import Replay

PATH = "/users-currently-watching-movie"
WINDOW_SECONDS = 60.0
UNKNOWN_SHARE = 0.05
UNKNOWN_IDS = 10_000_000
UNKNOWN_USERS = 100  # of each viewer
UNKNOWN_MOVIES = 20
CURRENT = 0.5
PREMIERE_VIEWINGS = 40  # so many viewings, one after the other, from premiere to premiere
REMEMBERED = 20  # movies that a user does not watch again
TRIES = 5


@dataclass
class Viewer:
    """Who watches what, until when (seconds of the clock); no movie in a pause."""

    number: int
    user_id: int
    movie: NamedMovie | None
    until: float


class Audience:
    """Viewers who go from movie to movie."""

    def __init__(
        self,
        user_ids: list[int],
        movies: list[Movie],
        size: int,
        seconds: float,
        seed: int,
        current: float = CURRENT,
    ) -> None:
        """`size` viewers at a time; a viewing takes `seconds` on average; a share `current` is of current movies."""
        self._random = random.Random(seed)  # noqa: S311
        self._user_ids = user_ids
        self._movies = movies
        # People watch what many have watched, but not only.
        self._shares = [movie.rating_count**0.75 for movie in movies]
        self._current = current
        self._premieres = Premieres(movies, PREMIERE_VIEWINGS * seconds, seed)
        self._began: float | None = None
        self._watched: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._seconds = seconds
        self._size = size
        self._viewers = [Viewer(number, self._pick_user(number), None, 0.0) for number in range(size)]

    def watching(self, now: float) -> list[tuple[int, NamedMovie]]:
        """(user id, movie) of all who are watching at a moment (seconds)."""
        if self._began is None:
            self._began = now
        for viewer in self._viewers:
            if viewer.until <= now:
                self._move_on(viewer, now, now - self._began)
        return [(viewer.user_id, viewer.movie) for viewer in self._viewers if viewer.movie is not None]

    def _move_on(self, viewer: Viewer, now: float, passed: float) -> None:
        paused = viewer.movie is None
        if paused and self._random.random() < 0.5:
            viewer.user_id = self._pick_user(viewer.number)
        # After a movie: a pause, or the next one at once.
        viewer.movie = self._pick_movie(viewer.user_id, passed) if paused or self._random.random() < 0.3 else None
        share = 0.5 if viewer.movie is None else 1.0
        viewer.until = now + share * self._seconds * self._random.uniform(0.3, 1.7)

    def _pick_user(self, number: int) -> int:
        # Each viewer takes turns among users of its own: nobody watches two movies at once.
        own = self._user_ids[number :: self._size]
        if self._random.random() < UNKNOWN_SHARE or not own:
            return UNKNOWN_IDS + number + self._size * self._random.randrange(UNKNOWN_USERS)
        return self._random.choice(own)

    def _pick_movie(self, user_id: int, passed: float) -> NamedMovie:
        """What a user watches so many seconds after the beginning: rather nothing that they have watched lately."""
        if self._random.random() < UNKNOWN_SHARE or not self._movies:
            number = self._random.randrange(UNKNOWN_MOVIES)
            return NamedMovie(movie_id=UNKNOWN_IDS + number, title=f"Unreleased {number}", year=None)
        watched = self._watched[user_id]
        for _ in range(TRIES):
            movie = self._draw_movie(passed)
            if movie.movie_id not in watched:
                break
        watched.append(movie.movie_id)
        return movie

    def _draw_movie(self, passed: float) -> Movie:
        if self._random.random() < self._current:
            return self._premieres.draw(passed, self._random)
        return self._random.choices(self._movies, self._shares)[0]


def encode_answer(watching: list[tuple[int, NamedMovie]], moment: str) -> str:
    """The API's body: a JSON string that contains a pandas frame in split orient."""
    split = {
        "columns": ["YearRelease", "Name", "current_time", "customerID"],
        "index": [movie.movie_id for _, movie in watching],
        "data": [[movie.year, movie.title, moment, user_id] for user_id, movie in watching],
    }
    return json.dumps(json.dumps(split))


def create_simulator(
    audience: Audience | Replay,
    calls_per_minute: int,
    clock: Callable[[], float] = time.monotonic,
    script: Sequence[str] = (),
) -> Flask:
    """The API as a Flask app: 200 with the viewings, or 429 past the limit of calls in any 60 s.

    `script`: what becomes of one call after the other, again and again: a key of FAULTS, or `ok`.
    """
    app = Flask(__name__)
    calls: deque[float] = deque()
    steps = cycle(script or ["ok"])
    rng = random.Random(len(script))  # noqa: S311
    lock = threading.Lock()

    @app.get(PATH)
    def watching_now() -> Response:
        with lock:
            now = clock()
            while calls and calls[0] <= now - WINDOW_SECONDS:
                calls.popleft()
            if len(calls) >= calls_per_minute:
                wait = str(int(calls[0] + WINDOW_SECONDS - now) + 1)
                return Response("Too Many Requests", 429, {"Retry-After": wait})
            calls.append(now)
            body = encode_answer(audience.watching(now), utc_now().isoformat())
            step = next(steps)
        return FAULTS[step](body, rng) if step in FAULTS else Response(body, content_type=JSON)

    return app
