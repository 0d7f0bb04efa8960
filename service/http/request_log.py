"""Each request gets an id, is counted, and leaves one line in the log."""

import logging
import re
import time
import uuid
from functools import lru_cache

from flask import Flask, Response, g, request

from common.logs import REQUEST_ID
from service.health.metrics import REQUEST_SECONDS, REQUESTS

logger = logging.getLogger("service.requests")

ID_HEADER = "X-Request-ID"
# Longer ones, and those with other signs, are replaced: ids are written to logs and answers.
SANE_ID = re.compile(r"[!-~]{1,128}")
# What clients make up must not make series of metrics.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
NO_ROUTE = "unmatched"


def install(app: Flask) -> None:
    """Observe all requests of an app; to be called before anything else that acts on requests."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()
        given = request.headers.get(ID_HEADER, "")
        REQUEST_ID.set(given if SANE_ID.fullmatch(given) else uuid.uuid4().hex)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers[ID_HEADER] = REQUEST_ID.get()
        _tell(response, time.perf_counter() - g.began)
        return response

    @app.teardown_request
    def forget(_: BaseException | None) -> None:
        REQUEST_ID.set("")


def _tell(response: Response, seconds: float) -> None:
    """Count and log an answer; of a stream, its beginning."""
    method = request.method if request.method in METHODS else "OTHER"
    route = route_template(request.url_rule.rule) if request.url_rule else NO_ROUTE
    REQUESTS.labels(method, route, response.status_code).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)
    if logger.isEnabledFor(logging.INFO):
        size = response.content_length
        fields = {"method": method, "route": route, "status": response.status_code}
        fields |= {"milliseconds": round(seconds * 1000, 1), "bytes": size, "key": g.get("key_name")}
        told = "a stream" if size is None else f"{size} bytes"
        milliseconds = fields["milliseconds"]
        logger.info(
            "%s %s %d, %s ms, %s", method, route, response.status_code, milliseconds, told, extra={"fields": fields}
        )


@lru_cache(maxsize=1024)
def route_template(rule: str) -> str:
    """A route as the OpenAPI document has it: `/v1/users/{userId}`."""
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)
