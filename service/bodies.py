"""Bodies of requests: how large they may be, and what is told of those that do not come in whole."""

from flask import Flask, Request, Response
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from service.problems import problem_response

LARGEST_BODY = 1 << 20


class BoundedRequest(Request):
    """A request whose body is refused if it is too large, also if it came in chunks, without a length."""

    def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> bytes:  # type: ignore[override]
        """The body. Werkzeug cuts one without a length silently at the limit."""
        data: bytes = super().get_data(cache, as_text, parse_form_data)  # type: ignore[call-overload]
        if self.content_length is None and len(data) >= LARGEST_BODY:
            raise RequestEntityTooLarge
        return data


def install(app: Flask) -> None:
    """Bound the bodies of an app's requests."""
    app.request_class = BoundedRequest
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY

    @app.errorhandler(ClientDisconnected)
    def answer_lost_body(_: ClientDisconnected) -> Response:
        return problem_response(408, "the request's body did not come in, or not in time")

    @app.errorhandler(ParseException)
    def answer_broken_body(_: ParseException) -> Response:
        return problem_response(400, "the request's body is not what its headers say")
