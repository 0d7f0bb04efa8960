"""How answers are cached: by us while they hold, by clients with the ETag that they come back with."""

import hashlib
import re
import time
from datetime import datetime

from flask import Flask, Response, g, request

from common.times import utc_now
from service.capacity.answer_cache import Answer
from service.components import components
from service.health.metrics import CACHE_HITS, CACHE_MISSES
from service.http.policy import SAFE_METHODS, About, requested_policy
from service.http.responses import Reply

GENERATED_AT = re.compile(rb'"generatedAt":"[^"]*"')


def install(app: Flask) -> None:
    """Serve an app's answers again while they hold; give all an ETag, and 304 to who has them."""

    @app.before_request
    def serve_again() -> Response | None:
        if request.method not in SAFE_METHODS or requested_policy(app, request).kept is None:
            return None
        g.known_version = components().changes.await_fresh()
        answer = components().cache.get(request.full_path)
        if answer is None:
            CACHE_MISSES.inc()
            return None
        CACHE_HITS.inc()
        g.known_version = None  # kept already
        response = Response(answer.body, content_type="application/json")
        response.set_etag(answer.etag, weak=True)
        return response

    @app.after_request
    def keep(response: Response) -> Response:
        if request.path.startswith("/v1/") and "Cache-Control" not in response.headers:
            # To be kept by the one who asked, and asked for again each time: an event may change it at any moment.
            response.headers["Cache-Control"] = "private, no-cache" if request.method in SAFE_METHODS else "no-store"
        if request.method not in SAFE_METHODS or response.status_code != 200 or response.is_streamed:
            return response
        if "ETag" not in response.headers:
            response.set_etag(_digest(response.data), weak=True)
        if (version := g.get("known_version")) is not None:
            about_user = requested_policy(app, request).kept is About.USER
            user_id = (request.view_args or {})["userId"] if about_user else None
            etag = response.get_etag()[0] or ""
            made_at = _made_at(response.generated_at if isinstance(response, Reply) else None)
            answer = Answer(response.data, etag, user_id, version, made_at)
            components().cache.put(request.full_path, answer)
        response.make_conditional(request)
        return response


def _made_at(generated_at: datetime | None) -> float:
    """On the cache's clock. What was stored some minutes ago is as old when it is answered first."""
    age = (utc_now() - generated_at).total_seconds() if generated_at else 0.0
    return time.monotonic() - max(0.0, age)


def _digest(body: bytes) -> str:
    """What tells answers apart; when they were made does not."""
    return hashlib.blake2b(GENERATED_AT.sub(b"", body), digest_size=12).hexdigest()
