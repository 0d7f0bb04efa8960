"""Sockets from which a request must have come in by a deadline."""

import select
import socket
import time
from errno import ECONNRESET
from typing import Any

from common.budget import ARRIVAL


class DeadlineSocket(socket.socket):
    """A connection from which each request must have come in by a deadline."""

    _deadline: float | None = None

    def setblocking(self, flag: bool, /) -> None:
        """Gunicorn does this before it reads a request, and after: the next request has a deadline of its own."""
        self._deadline = None
        super().setblocking(flag)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """What has come in; waits for it, but not past the deadline."""
        if self._deadline is None:
            self._deadline = time.monotonic() + ARRIVAL
        while True:
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                raise ConnectionResetError(ECONNRESET, "the request did not come in in time")
            try:
                return super().recv(size, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                wait_for_data(self, remaining)


class DeadlineListener:
    """A listening socket whose connections have deadlines; all else is the listening socket's."""

    def __init__(self, listener: Any) -> None:
        self._listener = listener

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)

    def accept(self) -> tuple[DeadlineSocket, Any]:
        """Take a connection that waits."""
        connection, address = self._listener.accept()
        return DeadlineSocket(fileno=connection.detach()), address

    def has_waiting(self) -> bool:
        """Whether a connection waits to be taken."""
        return wait_for_data(self._listener, 0)


def wait_for_data(source: Any, seconds: float) -> bool:
    """Wait until there is something to read, or to accept, for so long at most; whether there is."""
    waiting = select.poll()
    waiting.register(source, select.POLLIN)
    return bool(waiting.poll(seconds * 1000))
