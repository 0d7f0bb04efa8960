"""What a feed may do instead of answering well, on request: the simulator's faults."""

import json
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from flask import Response, request

from common.times import utc_now

JSON = "application/json"
# A hanging or dripping answer ends after so long, so that a test's server does.
LONGEST_SECONDS = 60.0
DRIP_SECONDS = 0.5

Fault = Callable[[str, random.Random], Response]


def fail(body: str, _: random.Random) -> Response:
    """500."""
    return Response("Internal Server Error", 500)


def refuse(body: str, _: random.Random) -> Response:
    """429, though nobody has called too often."""
    return Response("Too Many Requests", 429, {"Retry-After": "1"})


def hang(body: str, _: random.Random) -> Response:
    """Nothing for a long time."""
    threading.Event().wait(LONGEST_SECONDS)
    return Response(body, content_type=JSON)


def drip(body: str, _: random.Random) -> Response:
    """The answer, byte by byte."""

    def send() -> Iterator[bytes]:
        for sign in body.encode()[: int(LONGEST_SECONDS / DRIP_SECONDS)]:
            yield bytes([sign])
            threading.Event().wait(DRIP_SECONDS)

    return Response(send(), content_type=JSON)


def reset(body: str, _: random.Random) -> Response:
    """The connection is reset."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)
    return Response()


def truncate(body: str, _: random.Random) -> Response:
    """Half of the answer."""
    answer = Response(body[: len(body) // 2], content_type=JSON)
    answer.headers["Content-Length"] = str(len(body))
    return answer


def answer_html(body: str, _: random.Random) -> Response:
    """A page instead of data, and 200."""
    return Response("<html>Application error</html>", content_type="text/html")


def rename_column(body: str, _: random.Random) -> Response:
    """A column under another name."""

    def change(split: dict[str, Any]) -> None:
        split["columns"] = ["user" if name == "customerID" else name for name in split["columns"]]

    return _changed(body, change)


def repeat_rows(body: str, _: random.Random) -> Response:
    """Every row twice."""

    def change(split: dict[str, Any]) -> None:
        split["index"], split["data"] = split["index"] * 2, split["data"] * 2

    return _changed(body, change)


def disorder_rows(body: str, rng: random.Random) -> Response:
    """Rows in any order, some with a moment up to a minute old."""

    def change(split: dict[str, Any]) -> None:
        rows = list(zip(split["index"], split["data"], strict=True))
        rng.shuffle(rows)
        split["index"], split["data"] = [index for index, _ in rows], [list(row) for _, row in rows]
        place = split["columns"].index("current_time")
        for row in split["data"][::2]:
            row[place] = (utc_now() - timedelta(seconds=rng.uniform(0, 60))).isoformat()

    return _changed(body, change)


def spoil_rows(body: str, rng: random.Random) -> Response:
    """Every third row with a value that is none."""

    def change(split: dict[str, Any]) -> None:
        for row in split["data"][::3]:
            row[split["columns"].index(rng.choice(["customerID", "current_time"]))] = rng.choice(["?", None, -1e99, []])

    return _changed(body, change)


def _changed(body: str, change: Callable[[dict[str, Any]], None]) -> Response:
    split = json.loads(json.loads(body))
    change(split)
    return Response(json.dumps(json.dumps(split)), content_type=JSON)


FAULTS: dict[str, Fault] = {
    "500": fail,
    "429": refuse,
    "hang": hang,
    "drip": drip,
    "reset": reset,
    "truncated": truncate,
    "html": answer_html,
    "columns": rename_column,
    "repeated": repeat_rows,
    "disorder": disorder_rows,
    "spoiled": spoil_rows,
}
