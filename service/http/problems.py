"""Errors as RFC 9457 problem documents."""

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

from flask import Flask, Response, abort, g
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from common.disk import is_full
from common.errors import RecommenderError
from common.logs import REQUEST_ID
from graph.errors import ContentRefusedError, DatabaseReadOnlyError, DatabaseUnavailableError, ServerError
from graph.schema import SchemaError
from service.access.keys import KeysError
from service.capacity.executor import DeadlineError, OverloadedError, ShareError
from service.capacity.single_flight import NoAnswerError
from service.schemas import FieldProblem, Problem
from stream.event_log.base import EventLogError, NoRoomError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1

LISTED_ERRORS = 100

# Names and numbers that lead from a body to one of its parts.
Place = tuple[int | str, ...]
Responses = dict[str | int | HTTPStatus, Any]
_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_RETRY = {"Retry-After": {"description": "Seconds to wait", "required": True, "schema": {"type": "integer"}}}
# What every operation may answer, what those with a path parameter may, and those with a body.
PROBLEMS: Responses = {
    "400": {"description": "The query string or the body cannot be read", "content": _CONTENT},
    "401": {"description": "A key is needed, or there is no such key", "content": _CONTENT},
    "403": {"description": "The key may not do this", "content": _CONTENT},
    "408": {"description": "The body did not come in, or not in time", "content": _CONTENT},
    "414": {"description": "Path and query string are too long", "content": _CONTENT},
    "422": {
        "description": "A parameter is wrong, and named, or Neo4j refuses what was sent, or it costs more than the key "
        "has in a minute",
        "content": _CONTENT,
    },
    "429": {
        "description": "Too few units left of the key, too many streams, or too many wrong keys; wait for Retry-After",
        "content": _CONTENT,
    },
    "500": {"description": "An error on our side, which the service's log has", "content": _CONTENT},
    "503": {
        "description": "Neo4j, the event log or the keys cannot be asked now, or too many ask; try again",
        "content": _CONTENT,
        "headers": _RETRY,
    },
}
CONFLICT_PROBLEM: Responses = {"409": {"description": "An eventId is that of another event", "content": _CONTENT}}
PATH_PROBLEMS: Responses = {"404": {"description": "There is no such thing", "content": _CONTENT}}
BODY_PROBLEMS: Responses = {
    "413": {"description": "The body is too large", "content": _CONTENT},
    "415": {"description": "The body is not sent as application/json", "content": _CONTENT},
}


@dataclass(frozen=True)
class ErrorAnswer:
    """How a kind of error is answered. Its own text, which may name files and queries, is for the log alone."""

    status: HTTPStatus
    detail: str | None  # None: the error's text says only what its client may know
    level: int = logging.ERROR


NOT_NOW = HTTPStatus.SERVICE_UNAVAILABLE  # with Retry-After: the same request may succeed later
# The first kind that fits, from the special to the general.
ERROR_ANSWERS: dict[type[RecommenderError], ErrorAnswer] = {
    DeadlineError: ErrorAnswer(NOT_NOW, None, logging.WARNING),
    OverloadedError: ErrorAnswer(NOT_NOW, None, logging.WARNING),
    ShareError: ErrorAnswer(HTTPStatus.TOO_MANY_REQUESTS, None, logging.WARNING),
    DatabaseReadOnlyError: ErrorAnswer(
        NOT_NOW, "Neo4j cannot write now: its disk is full, or was; try again later", logging.WARNING
    ),
    DatabaseUnavailableError: ErrorAnswer(NOT_NOW, "Neo4j does not answer now; try again", logging.WARNING),
    ServerError: ErrorAnswer(NOT_NOW, "Neo4j is not set up yet (`python -m graph up`); try again", logging.WARNING),
    SchemaError: ErrorAnswer(HTTPStatus.INTERNAL_SERVER_ERROR, None),
    NoAnswerError: ErrorAnswer(NOT_NOW, "there is no answer in time; try again", logging.WARNING),
    NoRoomError: ErrorAnswer(
        NOT_NOW, "the disk with the event log is full: events are taken again once there is room; try again later"
    ),
    EventLogError: ErrorAnswer(NOT_NOW, "the event log cannot store events now; try again"),
    KeysError: ErrorAnswer(NOT_NOW, "the keys cannot be checked now; the service's log says why"),
    ContentRefusedError: ErrorAnswer(HTTPStatus.UNPROCESSABLE_ENTITY, "Neo4j refuses to store what the request holds"),
    RecommenderError: ErrorAnswer(
        HTTPStatus.INTERNAL_SERVER_ERROR, "the service cannot do this as it is set up; its log says why"
    ),
}


def find_answer(error: RecommenderError) -> ErrorAnswer:
    """How an error is answered."""
    return next(answer for kind, answer in ERROR_ANSWERS.items() if isinstance(error, kind))


def problem_response(
    status: int, detail: str, errors: list[FieldProblem] | None = None, retry_after: int = RETRY_SECONDS
) -> Response:
    """A response that says what is wrong; `retry_after`: seconds, where the same request may succeed later."""
    title = HTTPStatus(status).phrase
    request_id = REQUEST_ID.get() or None
    problem = Problem(
        type="about:blank", title=title, status=status, detail=detail, errors=errors, requestId=request_id
    )
    response = Response(problem.model_dump_json(by_alias=True, exclude_none=True), status, content_type=MEDIA_TYPE)
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        response.headers["Retry-After"] = str(retry_after)
    return response


def validation_response(error: ValidationError) -> Response:
    """422, naming each parameter that is wrong."""
    parts = error.errors(include_url=False, include_context=False, include_input=False)
    return _fields_response(
        [FieldProblem(name=name_place(part["loc"]), detail=part["msg"]) for part in parts[:LISTED_ERRORS]]
    )


def note_body(body: dict[str, Any] | list[Any]) -> None:
    """Remember whether the request's body is one object: one event is made a list of, which its client did not send."""
    g.is_one_object = isinstance(body, dict)


def name_place(place: Place) -> str:
    """A place in a body as its client would write it: `at`, `[1].at`, `movieIds[0]`; the body itself is `body`."""
    if place and isinstance(place[0], int) and g.get("is_one_object"):
        place = place[1:]
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    return (name or "body").encode(errors="replace").decode()  # names that are not known may have lone surrogates


def refuse_fields(errors: list[FieldProblem]) -> NoReturn:
    """Answer 422 for what no schema can tell about."""
    abort(_fields_response(errors))


def refuse_conflicts(errors: list[FieldProblem]) -> NoReturn:
    """Answer 409 for what contradicts something that was sent before."""
    abort(_fields_response(errors, HTTPStatus.CONFLICT))


def register_error_handlers(app: Flask) -> None:
    """Answer every error with a problem document."""

    @app.errorhandler(HTTPException)
    def answer_http_error(error: HTTPException) -> Response:
        response = problem_response(error.code or 500, error.description or "")
        response.headers.extend({key: value for key, value in error.get_headers() if key == "Allow"})
        return response

    @app.errorhandler(RecommenderError)
    def answer_failure(error: RecommenderError) -> Response:
        answer = find_answer(error)
        logger.log(answer.level, "%s", error)
        return problem_response(answer.status, answer.detail or str(error))

    @app.errorhandler(OSError)
    def answer_failure_of_the_system(error: OSError) -> Response:
        if not is_full(error):
            return answer_surprise(error)
        logger.error("the disk is full: %s", error)
        return problem_response(NOT_NOW, "a disk of the service is full: try again once there is room")

    @app.errorhandler(Exception)
    def answer_surprise(error: Exception) -> Response:
        logger.exception("unexpected %s", type(error).__name__)
        return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error; the log has it")


def _fields_response(errors: list[FieldProblem], status: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY) -> Response:
    detail = "; ".join(f"{field.name}: {field.detail}" for field in errors[:5])
    return problem_response(status, detail, errors[:LISTED_ERRORS])
