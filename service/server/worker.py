"""Gunicorn's gthread worker, with a limit for how long a request may take to come in, and a stop that loses none.

gthread reads with blocking sockets: a client that sends a byte now and then would keep a thread for ever. And when it
stops, connections that the system has taken already, with a request on them perhaps, stay in the listening socket's
queue; they are reset when the process ends. It also waits for streams, which do not end by themselves.

What gunicorn documents for this is used where it suffices: a worker class of one's own, `init_process`, `notify`, and
sockets. For the rest there is no setting and no hook; tests/service/test_gunicorn_names.py pins what is relied on.
"""

import json
import os
import socket
import time
from contextlib import suppress
from http import HTTPStatus
from ssl import SSLError
from typing import Any

from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import ThreadWorker

from service.server.sockets import DeadlineListener

# What becomes of a request that cannot be read, or an answer that cannot be sent; of all others 400.
STATUSES = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    InvalidResponseHeader: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidResponseHeaderName: HTTPStatus.INTERNAL_SERVER_ERROR,
}


MEMORY_SECONDS = 1.0


class Worker(ThreadWorker):  # type: ignore[misc]
    """A process of the service."""

    sockets: list[DeadlineListener]
    memory_noted_at = float("-inf")

    def init_process(self) -> None:
        """Begin to serve, after the fork."""
        self.sockets = [DeadlineListener(listener) for listener in self.sockets]
        super().init_process()

    def notify(self) -> None:
        """Called at least once a second. Without gunicorn's first process this one stops as if it had been told to."""
        super().notify()
        self._note_memory()
        if os.getppid() != self.ppid:
            self.alive = False

    def _note_memory(self) -> None:
        now = time.monotonic()
        if now - self.memory_noted_at >= MEMORY_SECONDS:
            from common.memory import note_memory  # what counts is imported once there is where to count

            self.memory_noted_at = now
            note_memory("service")

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not; not for the rest of this process's life if it is stopping."""
        super().set_accept_enabled(enabled)
        if not enabled and (not self.alive or os.getppid() != self.ppid):
            self.alive = False
            from service.components import components_of  # what counts is imported once there is where to count

            components_of(self.wsgi).broadcaster.end()
            for listener in self.sockets:
                while listener.has_waiting():
                    self.accept(listener)
                listener.close()
            self.sockets = []
            for silent in self.pending_conns:  # connections that have sent nothing: nobody waits for their end
                silent.timeout = 0

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what the application never sees (no HTTP, too long a path or header) as the application would.

        Nothing of it is logged or repeated: a broken header may hold a key.
        """
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        if isinstance(exc, ParseException | SSLError):
            status = STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST)
            self.log.warning("a request is refused: %s", type(exc).__name__)
        else:
            self.log.error("error handling a request", exc_info=exc)
        with suppress(OSError, ValueError):  # who has gone, or does not read; TLS knows no flags
            client.send(encode_problem(status), socket.MSG_DONTWAIT)


def encode_problem(status: HTTPStatus) -> bytes:
    """An answer with a problem document, after which the connection is closed."""
    problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": status.description}
    body = json.dumps(problem)
    head = f"HTTP/1.1 {status} {status.phrase}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
