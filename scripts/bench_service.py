"""The service under load: repeated reads, reads beside a writer, reads that are all computed anew, and finishes."""

import itertools
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests

from common.errors import RecommenderError
from common.settings import Settings
from graph.database import Database
from graph.repositories.history import History
from scripts.bench_traversal import Report, percentiles
from service.access.keys import WRITE, add_key

SCRIPT = Path(__file__).with_name("wrk_load.lua")
CONNECTIONS = 8
USERS = 600
WRITES_PER_SECOND = 20
# After every so many-th acknowledged finish, reads go on for longer than an answer may be behind.
WATCHED_FINISH = 4
STALENESS_SECONDS = 0.2
PAUSE_SECONDS = 0.02
SLOWEST_SECONDS = 10
WARMING_SECONDS = 25


def measure_service(settings: Settings, url: str, seconds: int, report: Report) -> None:
    """Reads and writes with a key, its limit counted, by users drawn at random."""
    key = add_key(settings.keys_path, "bench", WRITE, 10_000_000)
    with Database.from_settings(settings) as database:
        users = sorted(History(database).sample_users(limit=USERS))
    client = Client(url, key)
    # Not counted: Neo4j warms up, then each process until it has answered for each user.
    load(url, WARMING_SECONDS, key=key, users=users, cold=True)
    with finishing(client, users):
        time.sleep(WARMING_SECONDS)
    load(url, WARMING_SECONDS, key=key, users=users)
    report("service", reads="warm", **load(url, seconds, key=key, users=users))
    with finishing(client, users) as finishes:
        figures = load(url, seconds, key=key, users=users)
    report("service", reads=f"warm, beside {WRITES_PER_SECOND} finishes a second", **figures, **finishes.figures())
    report("service", reads="cold", **load(url, seconds, key=key, users=users, cold=True))
    with finishing(client, users) as finishes:
        time.sleep(seconds)
    report("service", reads="none", **finishes.figures())


def load(url: str, seconds: int, *, key: str, users: Sequence[int], cold: bool = False) -> dict[str, Any]:
    """Requests a second and latency of the users' recommendations under `wrk`.

    `cold`: each request leaves out a movie of its own, so that no answer was given before.
    """
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"--timeout={SLOWEST_SECONDS}s", "-s", str(SCRIPT)]
    command += [url, "--", key, str(int(cold)), *map(str, users)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise RecommenderError("wrk is missing: apt-get install wrk") from None
    figures: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return figures


class Client:
    """Asks and tells as an application would; each thread keeps its connection."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._own = threading.local()

    def recommend(self, user_id: int) -> list[int]:
        """The movies of a user's list."""
        path = f"{self._url}/v1/users/{user_id}/recommendations?limit=10"
        answer = self._session().get(path, timeout=SLOWEST_SECONDS)
        answer.raise_for_status()
        return [movie["movieId"] for movie in answer.json()["recommendations"]]

    def finish(self, user_id: int, movie_id: int) -> dict[str, Any]:
        """Tell of a finished movie; returns what became of it."""
        event = {"userId": user_id, "movieId": movie_id, "type": "finished"}
        answer = self._session().post(f"{self._url}/v1/events", json=event, timeout=SLOWEST_SECONDS)
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()["results"][0]
        return result

    def change_connection(self) -> None:
        """Any process may answer this thread's next question."""
        self._session().close()

    def _session(self) -> requests.Session:
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
            self._own.session.headers.update(self._headers)
        return self._own.session  # type: ignore[no-any-return]


class Finishes:
    """Users who finish what they are recommended first, at an even rate, and how long some then get old answers."""

    def __init__(self, client: Client, users: list[int]) -> None:
        self._client = client
        self._users = np.random.default_rng(1).permutation(users).tolist()
        self._posts: list[float] = []
        self._staleness: list[float] = []
        self._outcomes: Counter[str] = Counter()

    def run(self, done: threading.Event) -> None:
        """Go on until it is done; what is refused is counted."""
        begin = time.monotonic()
        with ThreadPoolExecutor(WRITES_PER_SECOND) as pool:
            for place in itertools.count(1):
                pool.submit(self._finish, self._users[place % len(self._users)], watched=place % WATCHED_FINISH == 0)
                if done.wait(max(0.0, begin + place / WRITES_PER_SECOND - time.monotonic())):
                    return

    def figures(self) -> dict[str, Any]:
        """Milliseconds of the POSTs, and by how much answers were behind what was acknowledged."""
        return {
            "post": {**self._outcomes, **percentiles(self._posts)},
            "stalenessMilliseconds": {"watched": len(self._staleness), **percentiles(self._staleness)},
        }

    def _finish(self, user_id: int, *, watched: bool) -> None:
        try:
            movie_id = self._client.recommend(user_id)[0]
            begin = time.monotonic()
            result = self._client.finish(user_id, movie_id)
            acknowledged = time.monotonic()
            self._posts.append((acknowledged - begin) * 1000)
            listed = "withRecommendations" if result["recommendations"] else "without"
            self._outcomes[listed if result["applied"] else "onTheLogOnly"] += 1
            if watched and result["applied"]:
                self._staleness.append(self._watch(user_id, movie_id, acknowledged) * 1000)
        except requests.RequestException:
            self._outcomes["refused"] += 1

    def _watch(self, user_id: int, movie_id: int, acknowledged: float) -> float:
        """By how many seconds the latest answer was behind that still had the movie, which was finished."""
        stale = 0.0
        while (asked := time.monotonic()) < acknowledged + STALENESS_SECONDS:
            self._client.change_connection()
            if movie_id in self._client.recommend(user_id):
                stale = asked - acknowledged
            time.sleep(PAUSE_SECONDS)
        return stale


@contextmanager
def finishing(client: Client, users: list[int]) -> Iterator[Finishes]:
    """Users who finish movies meanwhile."""
    finishes, done = Finishes(client, users), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(finishes.run, done)
        try:
            yield finishes
        finally:
            done.set()
        running.result()
