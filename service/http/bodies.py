"""Bodies of requests: how large they may be, and what is told of those that do not come in whole."""

from flask import Flask, Response
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from service.http.problems import problem_response

LARGEST_BODY = 1 << 20


def install(app: Flask) -> None:
    """Bound the bodies of an app's requests."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY

    @app.errorhandler(ClientDisconnected)
    def answer_lost_body(_: ClientDisconnected) -> Response:
        return problem_response(408, "the request's body did not come in, or not in time")

    @app.errorhandler(ParseException)
    def answer_broken_body(_: ParseException) -> Response:
        return problem_response(400, "the request's body is not what its headers say")
