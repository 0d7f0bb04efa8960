"""No more requests in a process at a time than it can do.

All others wait outside for a moment and are then refused, before anything is done for them: hundreds of threads that
compute by turns would make everybody late, and a refusal by the app costs half as much as an answer.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from service.health.metrics import SHED_REQUESTS
from service.http.problems import MEDIA_TYPE, RETRY_SECONDS
from service.schemas import Problem

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# Requests inside; docs/benchmarks.md, "Four times too much".
ROOM = 8
PATIENCE_SECONDS = 0.1
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

    def __init__(self, application: Application, room: int = ROOM) -> None:
        self._application = application
        self._room = threading.BoundedSemaphore(room)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, or refuse it."""
        if not is_counted(environ):
            return self._application(environ, start_response)
        if not self._room.acquire(timeout=PATIENCE_SECONDS):
            SHED_REQUESTS.inc()
            start_response(REFUSED, HEADERS)
            return [BODY]
        try:
            return self._application(environ, start_response)
        finally:
            self._room.release()


def is_counted(environ: Environ) -> bool:
    """Reads of the API. A body may be long in coming, and a stream has no end; health is told always."""
    path = str(environ.get("PATH_INFO", ""))
    return environ["REQUEST_METHOD"] in {"GET", "HEAD"} and path.startswith("/v1/") and path != "/v1/stream"


def install(app: Flask) -> None:
    """Put a door before an app."""
    app.wsgi_app = LoadShedder(app.wsgi_app)  # type: ignore[method-assign]
