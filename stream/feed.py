"""Calling the live feed over HTTP, whatever its server does."""

import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

from common.times import to_utc, utc_now
from stream.decoding import FeedAnswer, FeedError, decode_answer

CONNECT_SECONDS = 3.05
CALL_SECONDS = 10.0
CUT_AGAIN_SECONDS = 0.5
LARGEST_ANSWER = 4 << 20
SILENT_TOO_LONG = (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError)


class FeedClient:
    """Calls the feed. No call takes longer than `seconds` (plus the lookup of the host's name)."""

    def __init__(self, url: str, session: requests.Session, future: timedelta, seconds: float = CALL_SECONDS) -> None:
        """`future`: sightings further ahead of this machine's clock count as of the time of receipt."""
        self.url = url
        self._session = session
        self._future = future
        self._seconds = seconds
        self._connections = CuttableConnections()
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._connections)

    def fetch(self) -> FeedAnswer:
        """One call. Raises FeedError for no answer in time, any status but 200, and a body that is no such frame."""
        late = f"the feed's answer took longer than {self._seconds:g} s"
        with self._time_limit() as cut:
            try:
                body = self._read_body()
            # requests lets pass what a broken body (HTTPError) or an absurd redirect (ValueError) raises.
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                is_late = cut.is_set() or isinstance(error, SILENT_TOO_LONG)  # whichever limit strikes first
                raise FeedError(late if is_late else f"the feed did not answer: {type(error).__name__}") from error
        if cut.is_set():  # A body without a length ends there as if it were whole.
            raise FeedError(late)
        if len(body) > LARGEST_ANSWER:
            raise FeedError(f"the feed's answer is larger than {LARGEST_ANSWER} bytes")
        return decode_answer(body, utc_now(), self._future)

    def _read_body(self) -> bytes:
        timeouts = min(CONNECT_SECONDS, self._seconds), self._seconds
        # To follow a redirect, requests reads all of its body.
        with self._session.get(self.url, timeout=timeouts, stream=True, allow_redirects=False) as answer:
            if answer.status_code != requests.codes.ok:
                wait = parse_retry_after(answer.headers.get("Retry-After"))
                raise FeedError(f"the feed answered {answer.status_code} {answer.reason}", wait)
            body = bytearray()
            # The read after the last one is the one that tells of a body shorter than announced.
            while part := answer.raw.read(LARGEST_ANSWER + 1 - len(body), decode_content=True):
                body += part
            return bytes(body)

    @contextmanager
    def _time_limit(self) -> Iterator[threading.Event]:
        """Cut the connection of a call that takes too long; the event tells that it was."""
        done, cut = threading.Event(), threading.Event()

        def watch() -> None:
            wait = self._seconds
            while not done.wait(wait):
                cut.set()
                self._connections.cut()
                wait = CUT_AGAIN_SECONDS  # It may only now have connected.

        threading.Thread(target=watch, name="feed limit", daemon=True).start()
        try:
            yield cut
        finally:
            done.set()


class CuttableConnections(HTTPAdapter):
    """Connections that another thread can cut: time-outs alone do not end a call whose server sends now and then."""

    def __init__(self) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        pools = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
        self._pools = {scheme: note_sockets(pool, self._sockets) for scheme, pool in pools.items()}
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pools, of connections whose sockets we know."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        """The same by way of a proxy."""
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def cut(self) -> None:
        """End all that is being sent or received."""
        for connected in list(self._sockets):
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


def note_sockets(pool: type[HTTPConnectionPool], sockets: weakref.WeakSet[socket.socket]) -> type[HTTPConnectionPool]:
    """A pool whose connections put their sockets into a set."""
    plain: Any = pool.ConnectionCls

    def connect(connection: Any) -> None:
        plain.connect(connection)
        # The connection itself forgets its socket as soon as an answer says that it will be closed.
        sockets.add(connection.sock)

    noting = type("NotingConnection", (plain,), {"connect": connect})
    return type("NotingPool", (pool,), {"ConnectionCls": noting})


def parse_retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header, a number of them or a date (RFC 9110); None if it says neither."""
    try:
        return max(0.0, float(header or ""))
    except ValueError:
        pass
    try:
        return max(0.0, (to_utc(parsedate_to_datetime(header or "")) - utc_now()).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
