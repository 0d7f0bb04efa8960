"""Load shedding: no more requests in a process at a time than it can do.

All others wait outside for a moment and are then refused, before anything is done for them: hundreds of threads that
compute by turns would make everybody late, and a refusal by the app costs half as much as an answer.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from common.settings import Settings
from service.health.metrics import SHED_REQUESTS
from service.http.headers import cors_headers, listed_origins
from service.http.policy import SAFE_METHODS, policy_of
from service.http.problems import MEDIA_TYPE, RETRY_SECONDS
from service.schemas import Problem

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# Requests inside; docs/benchmarks.md, "Four times too much".
ROOM = 8
REFUSED = "503 Service Unavailable"
BODY = (
    Problem(title="Service Unavailable", status=503, detail="more is asked for than can be answered in time; try again")
    .model_dump_json(by_alias=True, exclude_none=True)
    .encode()
)
HEADERS = [
    ("Content-Type", MEDIA_TYPE),
    ("Content-Length", str(len(BODY))),
    ("Retry-After", str(RETRY_SECONDS)),
    ("Cache-Control", "no-store"),
]


class LoadShedder:
    """A WSGI application that lets so many requests at a time into another one."""

    def __init__(
        self,
        application: Application,
        is_shed: Callable[[Environ], bool],
        patience: float,
        room: int = ROOM,
        origins: set[str] | frozenset[str] = frozenset(),
    ) -> None:
        """`is_shed`: whether a request counts. `patience`: seconds that one waits for room.

        `origins`: whose pages may read that they are refused, and when to come again.
        """
        self._application = application
        self._is_shed = is_shed
        self._patience = patience
        self._room = threading.BoundedSemaphore(room)
        self._origins = set(origins)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, or refuse it."""
        if not self._is_shed(environ):
            return self._application(environ, start_response)
        if not self._room.acquire(timeout=self._patience):
            SHED_REQUESTS.inc()
            return self._refuse(environ, start_response)
        try:
            return self._application(environ, start_response)
        finally:
            self._room.release()

    def _refuse(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        allowed = cors_headers(environ.get("HTTP_ORIGIN"), self._origins)
        start_response(REFUSED, [*HEADERS, *allowed.items()])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [BODY]


def install(app: Flask, patience: float, settings: Settings) -> None:
    """Shed what the policies of an app's endpoints allow to shed."""

    def is_shed(environ: Environ) -> bool:
        if environ["REQUEST_METHOD"] not in SAFE_METHODS:
            return False
        try:
            endpoint, _ = app.url_map.bind_to_environ(environ).match()
        except HTTPException:
            return False
        policy = policy_of(app, endpoint)
        return policy is not None and policy.shed

    origins = listed_origins(settings)
    app.wsgi_app = LoadShedder(app.wsgi_app, is_shed, patience, origins=origins)  # type: ignore[method-assign]
