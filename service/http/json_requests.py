"""What is checked of a request before its schema is: the form of its path, query string and body."""

import json
import re
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from flask import Flask, Request, abort, request
from werkzeug.routing import IntegerConverter, PathConverter

from service.http.bodies import read_body
from service.http.problems import refuse_fields
from service.schemas import FieldProblem

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
            abort(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body as Content-Type: application/json")
        value = _read_json(read_body(self.stream))
        if not isinstance(value, dict | list):
            _refuse("body", "must be an object or a list")
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
    try:
        return json.loads(data.decode(), parse_float=_read_number, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        abort(HTTPStatus.BAD_REQUEST, "the body is not UTF-8")
    except RecursionError:
        abort(HTTPStatus.BAD_REQUEST, "the body is nested too deeply")
    except ValueError as error:  # also of a number with thousands of digits
        abort(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}")


def _read_number(text: str) -> float:
    """To JSON Schema 1.0 is an integer."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _refuse(name: str, detail: str) -> NoReturn:
    refuse_fields([FieldProblem(name=name, detail=detail)])
