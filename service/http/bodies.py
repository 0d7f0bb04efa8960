"""Bodies of requests: how large they may be, how much of them a process holds, what is answered, and what is counted.

Whoever asks, and for whatever, counts: what is made of a small body may take a hundred times its bytes.
"""

import ctypes
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import IO, Literal, NoReturn

import numpy as np
from flask import Flask, Response, abort, current_app, g, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from service.capacity.executor import OverloadedError
from service.health.metrics import REFUSED_BODIES
from service.http.problems import problem_response, refuse_fields
from service.schemas import FieldProblem

EXTENSION = "bodies"
LARGEST_BODY = 1 << 20
LARGEST_FORM = 1 << 16
# So much of each body is read whatever else is: clients that send slowly must not keep others out.
SMALL_BODY = 1 << 16
# Bytes beyond that, of all bodies that a process reads at a time.
READ_BYTES = 32 << 20
# Bytes of what a process makes of bodies at a time, by an estimate of so many for each value.
MADE_BYTES = 32 << 20
VALUE_BYTES = 200
# Commas, brackets and braces of a body. The longest list that is taken has half as many.
MOST_VALUES = 20_000
# As deeply as Python reads JSON.
DEEPEST = 900
Reason = Literal["too_large", "not_json", "unreadable", "incomplete", "no_room"]


def refuse_body(reason: Reason, status: int, detail: str) -> NoReturn:
    """Answer that a body is not taken."""
    count_refused(reason)
    abort(status, detail)


def count_refused(reason: Reason) -> None:
    """Count a body that is not taken."""
    REFUSED_BODIES.labels(reason).inc()


def give_memory_back() -> None:
    """Have the C library return to the system what is free; by itself glibc keeps what a crowd's bodies took."""
    with suppress(AttributeError, OSError):  # other libraries have no such call
        ctypes.CDLL(None).malloc_trim(0)


def refuse_crowded(body: bytes) -> NoReturn:
    """Refuse a body of too many values, or nested too deeply to be read."""
    signs = np.frombuffer(body, np.uint8)
    opened, closed = (np.isin(signs, np.frombuffer(pair, np.uint8)) for pair in (b"[{", b"]}"))
    if np.cumsum(opened.astype(np.int32) - closed).max() > DEEPEST:
        refuse_body("unreadable", HTTPStatus.BAD_REQUEST, "the body is nested too deeply")
    count_refused("too_large")
    refuse_fields([FieldProblem(name="body", detail=f"has more than {MOST_VALUES:,} values: send it in parts")])


class Room:
    """So many bytes for all requests of a process."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._changed = threading.Condition()

    def take(self, size: int, patience: float = 0.0) -> None:
        """Take some, waiting so many seconds at most. Raises OverloadedError if there are none."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._left >= size, patience):
                raise OverloadedError("too many bodies are read or worked on; try again")
            self._left -= size

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        with self._changed:
            self._left += size
            self._changed.notify_all()


class Bodies:
    """The room for the bodies of a process."""

    def __init__(self, patience: float) -> None:
        """`patience`: seconds that a body waits for room to be worked on."""
        self._patience = patience
        self._read = Room(READ_BYTES)
        self._made = Room(MADE_BYTES)

    def read(self, stream: IO[bytes]) -> bytes:
        """A whole body. Raises RequestEntityTooLarge, and OverloadedError if too much is being read."""
        pieces: list[bytes] = []
        size = taken = 0
        try:
            while piece := stream.read(SMALL_BODY):
                size += len(piece)
                if size > LARGEST_BODY:
                    raise RequestEntityTooLarge
                if size > SMALL_BODY:
                    self._read.take(len(piece))
                    taken += len(piece)
                pieces.append(piece)
            return b"".join(pieces)
        finally:
            self._read.give_back(taken)

    def hold(self, body: bytes) -> None:
        """Take room for what is made of a body, until its request ends. Raises OverloadedError if there is none.

        A body of more values than any request has is refused unread.
        """
        values = body.count(b",") + body.count(b"[") + body.count(b"{")
        if values > MOST_VALUES:
            refuse_crowded(body)
        size = len(body) + VALUE_BYTES * values
        self._made.take(size, self._patience)
        g.held = g.get("held", 0) + size

    def end(self, _: BaseException | None) -> None:
        """Give back what the request has taken; after a large body to the system, too."""
        self._made.give_back(g.pop("held", 0))
        if g.pop("is_large", False):
            give_memory_back()


def read_body(stream: IO[bytes]) -> bytes:
    """The current request's body, for which there is room until the request ends. Raises what `Bodies` does."""
    bodies: Bodies = current_app.extensions[EXTENSION]
    try:
        body = bodies.read(stream)
        g.is_large = len(body) > SMALL_BODY
        bodies.hold(body)
    except OverloadedError:
        count_refused("no_room")
        raise
    return body


def install(app: Flask, patience: float) -> None:
    """Bound the bodies of an app's requests."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY + 1  # werkzeug refuses what reaches it
    app.extensions[EXTENSION] = bodies = Bodies(patience)
    app.teardown_request(bodies.end)

    @app.before_request
    def bound_forms() -> None:
        if request.mimetype != "application/json":
            request.max_content_length = LARGEST_FORM

    @app.errorhandler(RequestEntityTooLarge)
    def answer_large_body(error: RequestEntityTooLarge) -> Response:
        count_refused("too_large")
        return problem_response(413, error.description or "")

    @app.errorhandler(ClientDisconnected)
    def answer_lost_body(_: ClientDisconnected) -> Response:
        count_refused("incomplete")
        return problem_response(408, "the request's body did not come in, or not in time")

    @app.errorhandler(ParseException)
    def answer_broken_body(_: ParseException) -> Response:
        count_refused("unreadable")
        return problem_response(400, "the request's body is not what its headers say")
