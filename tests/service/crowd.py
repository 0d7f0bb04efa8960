"""Many clients at once, each of whose answers is kept."""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

# A request: method, path and body.
Ask = tuple[str, str, dict[str, Any] | None]


@dataclass(frozen=True)
class Answer:
    """When it was asked for, how many seconds it took, and what came; `status` 0: the connection broke."""

    asked_at: float
    seconds: float
    status: int
    complete: bool
    body: dict[str, Any]


class Crowd:
    """Clients that keep their connections; together they ask at an even rate, or each as soon as it has its answer."""

    def __init__(self, port: int, ask: Callable[[int], Ask], *, clients: int, per_second: float | None = None) -> None:
        """`ask`: what the request of a number asks for. Without `per_second`, as many as `clients` can ask."""
        self.answers: list[Answer] = []
        self._port = port
        self._ask = ask
        self._clients = clients
        self._interval = 1 / per_second if per_second else 0.0
        self._numbers = itertools.count()
        self._begin = 0.0
        self._done = threading.Event()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """They ask until the end of the block."""
        self._begin = time.monotonic()
        with ThreadPoolExecutor(self._clients) as pool:
            clients = [pool.submit(self._run) for _ in range(self._clients)]
            try:
                yield
            finally:
                self._done.set()
        for client in clients:
            client.result()

    def _run(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)) as connection:
            while not self._done.is_set():
                number = next(self._numbers)
                if self._done.wait(max(0.0, self._begin + number * self._interval - time.monotonic())):
                    return
                self.answers.append(self._send(connection, *self._ask(number)))

    def _send(self, connection: http.client.HTTPConnection, method: str, path: str, body: Any) -> Answer:
        begin = time.monotonic()
        try:
            connection.request(
                method, path, body and json.dumps(body), {"Content-Type": "application/json"} if body else {}
            )
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return Answer(begin, time.monotonic() - begin, 0, False, {})
        told = answer.status != 503 or (
            answer.headers["Retry-After"] is not None and answer.headers["Content-Type"] == "application/problem+json"
        )
        return Answer(begin, time.monotonic() - begin, answer.status, told, json.loads(text))


def statuses(answers: Sequence[Answer]) -> Counter[int]:
    """How many answers there are of each status."""
    return Counter(answer.status for answer in answers)


def describe(answers: Sequence[Answer]) -> str:
    """How many there are of each status, and how long they took."""
    seconds = np.percentile([answer.seconds for answer in answers], [50, 99, 100])
    return f"{dict(statuses(answers))}, p50 {seconds[0]:.3f} s, p99 {seconds[1]:.3f} s, longest {seconds[2]:.3f} s"
