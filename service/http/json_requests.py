"""What is checked of a request before its schema is: the form of its path, query string and body."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from flask import Flask, Request, abort, request
from werkzeug.routing import IntegerConverter, PathConverter

from service.http.bodies import count_refused, read_body, refuse_body
from service.http.problems import Place, name_place, note_body, refuse_fields
from service.schemas import FieldProblem
from service.schemas.base import read_number

BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class IdConverter(IntegerConverter):
    """Numbers in paths, of so few digits that Python reads them."""

    regex = r"[0-9]{1,100}"


class RestConverter(PathConverter):
    """All the rest of a path, whatever it begins with."""

    regex = ".+"
    part_isolating = False


class JsonRequest(Request):
    """A request whose body is JSON in UTF-8 and not too large, or it is refused."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body's value, an object or a list. `silent`, as flask-openapi3 asks, would hide what is wrong with it."""
        if self.mimetype != "application/json":
            detail = "send the body as Content-Type: application/json"
            refuse_body("not_json", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
        value = _read_json(read_body(self.stream))
        if not isinstance(value, dict | list):
            count_refused("not_json")
            _refuse("body", "must be an object or a list")
        note_body(value)
        return value


def register_request_checks(app: Flask) -> None:
    """Refuse what no schema can tell about."""
    app.request_class = JsonRequest
    app.url_map.converters.update(int=IdConverter, rest=RestConverter)
    app.url_map.merge_slashes = False  # an eventId may have two
    app.before_request(_check_query)


def _check_query() -> None:
    if not request.path.startswith("/v1/"):  # who asks for health or a page gets it, whatever is behind the ?
        return
    text = request.query_string
    try:
        unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        abort(HTTPStatus.BAD_REQUEST, "the query string is not UTF-8")
    if BAD_ESCAPE.search(text):
        abort(HTTPStatus.BAD_REQUEST, "the query string has a % without two hexadecimal digits")
    for name, values in request.args.lists():
        if len(values) > 1:
            _refuse(name, "may be given once")


def _read_json(data: bytes) -> Any:
    repeating: list[_RepeatingObject] = []
    try:
        value = json.loads(
            data.decode(),
            parse_float=read_number,
            parse_constant=_refuse_constant,
            object_pairs_hook=lambda pairs: _read_object(pairs, repeating),
        )
    except UnicodeDecodeError:
        refuse_body("unreadable", HTTPStatus.BAD_REQUEST, "the body is not UTF-8")
    except RecursionError:
        refuse_body("unreadable", HTTPStatus.BAD_REQUEST, "the body is nested too deeply")
    except ValueError as error:  # also of a number with thousands of digits
        refuse_body("not_json", HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}")
    if repeating:
        refuse_fields([FieldProblem(name=name_place(place), detail="may be given once") for place in _repeated(value)])
    return value


class _RepeatingObject(dict[str, Any]):
    """An object that came with some key more than once."""

    repeated: list[str]


def _read_object(pairs: list[tuple[str, Any]], repeating: list[_RepeatingObject]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    counts = Counter(key for key, _ in pairs)
    marked = _RepeatingObject(found)
    marked.repeated = [key for key, count in counts.items() if count > 1]
    repeating.append(marked)
    return marked


def _repeated(value: Any) -> Iterator[Place]:
    """Where in a body the keys are that came more than once. Without recursion: it may be nested deeply."""
    waiting: list[tuple[Place, Any]] = [((), value)]
    while waiting:
        place, part = waiting.pop()
        if isinstance(part, _RepeatingObject):
            yield from ((*place, key) for key in part.repeated)
        inside = part.items() if isinstance(part, dict) else enumerate(part)
        waiting += reversed([((*place, name), found) for name, found in inside if isinstance(found, dict | list)])


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _refuse(name: str, detail: str) -> NoReturn:
    refuse_fields([FieldProblem(name=name, detail=detail)])
