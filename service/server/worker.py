"""Gunicorn's gthread worker, with a limit for how long a request may take to come in, and a stop that loses none.

gthread reads with blocking sockets: a client that sends a byte now and then would keep a thread for ever. And when it
stops, connections that the system has taken already, with a request on them perhaps, stay in the listening socket's
queue; they are reset when the process ends. It also waits for streams, which do not end by themselves. Of idle
connections it keeps the oldest.
"""

import json
import select
import socket
import time
from concurrent.futures import Future
from errno import ECONNRESET
from itertools import islice
from typing import Any

from gunicorn import util
from gunicorn.http.errors import InvalidHeader, InvalidHeaderName, ObsoleteFolding
from gunicorn.workers.gthread import TConn, ThreadWorker

# From the first byte that is waited for to the last one of head and body.
ARRIVAL_SECONDS = 5.0
# For the first byte of a new connection, beyond the 5 s of gthread.
SILENT_SECONDS = 2.0


class ArrivingSocket(socket.socket):
    """A socket from which one request must have come in by a deadline."""

    deadline: float | None = None

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """What has come in; waits for it, but not past the deadline."""
        if self.deadline is None:
            self.deadline = time.monotonic() + ARRIVAL_SECONDS
        while True:
            remaining = self.deadline - time.monotonic()
            if remaining <= 0:
                raise ConnectionResetError(ECONNRESET, "the request did not come in in time")
            try:
                return super().recv(size, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                waiting = select.poll()
                waiting.register(self, select.POLLIN)
                waiting.poll(remaining * 1000)


class Worker(ThreadWorker):  # type: ignore[misc]
    """A process of the service."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not; not for the rest of this process's life if it is stopping."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            from service.components import components_of  # what counts is imported once there is where to count

            components_of(self.wsgi).broadcaster.end()
            for listener in self.sockets:
                self._take_waiting(listener)
                listener.close()

    def is_parent_alive(self) -> bool:
        """Whether gunicorn's first process lives; without it this one stops as if it had been told to."""
        lives: bool = super().is_parent_alive()
        if not lives:
            self.alive = False
        return lives

    def handle(self, conn: TConn) -> Any:
        """Handle one request of a connection."""
        if type(conn.sock) is socket.socket:  # not with TLS, which is a proxy's
            conn.sock = ArrivingSocket(fileno=conn.sock.detach())
        if isinstance(conn.sock, ArrivingSocket):
            conn.sock.deadline = None
        return super().handle(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """A request has been answered, or none has come over a new connection."""
        super().finish_request(conn, fs)
        if not conn.initialized:
            conn.timeout = time.monotonic() + SILENT_SECONDS

    def murder_keepalived(self, force: bool = False) -> None:
        """Close connections that were kept too long, and of too many those that have been idle longest.

        gthread itself would keep those, and no others beside them.
        """
        too_many = len(self.keepalived_conns) - self.max_keepalived + 1
        for conn in islice(self.keepalived_conns, max(0, too_many)):
            conn.timeout = 0
        super().murder_keepalived(force)

    def _take_waiting(self, listener: object) -> None:
        """Take all connections that wait in a listening socket's queue."""
        before = -1
        while before < self.nr_conns:
            before = self.nr_conns
            self.accept(listener)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that is no HTTP. A broken header is not repeated: it may hold a key."""
        if isinstance(exc, InvalidHeader | InvalidHeaderName | ObsoleteFolding):
            exc.hdr = "(not shown)"
        super().handle_error(req, client, addr, exc)


def write_problem(client: socket.socket, status: int, title: str, detail: str) -> None:
    """Answer what the application never sees (no HTTP, too long a path or header) as the application would."""
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
    head = f"HTTP/1.1 {status} {title}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    util.write_nonblock(client, f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())


util.write_error = write_problem  # gunicorn's own writes HTML, and has no setting for it
