"""Errors as RFC 9457 problem documents."""

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from graph.errors import DatabaseUnavailableError, RecommenderError
from graph.log_format import REQUEST_ID
from service.schemas import FieldProblem, Problem

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1

_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS: dict[str | int | HTTPStatus, Any] = {
    "404": {"description": "There is no such thing", "content": _CONTENT},
    "422": {"description": "A parameter is wrong; it is named", "content": _CONTENT},
    "503": {"description": "Neo4j does not answer now; try again", "content": _CONTENT},
}


def problem_response(status: int, detail: str, errors: list[FieldProblem] | None = None) -> Response:
    """A response that says what is wrong."""
    title = HTTPStatus(status).phrase
    request_id = REQUEST_ID.get() or None
    problem = Problem(
        type="about:blank", title=title, status=status, detail=detail, errors=errors, requestId=request_id
    )
    response = Response(problem.model_dump_json(by_alias=True, exclude_none=True), status, content_type=MEDIA_TYPE)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def validation_response(error: ValidationError) -> Response:
    """422, naming each parameter that is wrong."""
    errors = [FieldProblem(name=_name(part["loc"]), detail=part["msg"]) for part in error.errors()]
    detail = "; ".join(f"{field.name}: {field.detail}" for field in errors[:5])
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors)


def register_error_handlers(app: Flask) -> None:
    """Answer every error with a problem document."""

    @app.errorhandler(HTTPException)
    def answer_http_error(error: HTTPException) -> Response:
        response = problem_response(error.code or 500, error.description or "")
        response.headers.extend({key: value for key, value in error.get_headers() if key == "Allow"})
        return response

    @app.errorhandler(DatabaseUnavailableError)
    def answer_unavailable(error: DatabaseUnavailableError) -> Response:
        logger.warning("%s", error)
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "Neo4j does not answer now; try again")

    @app.errorhandler(RecommenderError)
    def answer_failure(error: RecommenderError) -> Response:
        logger.error("%s", error)
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    @app.errorhandler(Exception)
    def answer_surprise(error: Exception) -> Response:
        logger.exception("unexpected %s", type(error).__name__)
        return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error; the log has it")


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"
