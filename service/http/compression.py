"""Compressed answers, for clients that ask for them.

An attack like BREACH needs a secret beside text that the attacker chose, in an answer that a victim's browser was made
to ask for: none of ours has both, and other sites' pages cannot make a browser send a login (`SameSite=Strict`).
"""

import gzip
import re

from flask import Flask, Response, request
from werkzeug.datastructures import Accept

CODING = "gzip"
# A smaller answer is a packet or less on the wire in any case.
SMALLEST = 1000
LEVEL = 4  # of a list of 200 in half of the time that 6, the usual one, takes, and 6 % larger
# Text, but for streams of events, of which each has to leave at once.
COMPRESSIBLE = re.compile(r"text/(?!event-stream)|application/(.+\+)?json|application/javascript|image/svg\+xml")
# Part of a body, and none at all.
LEFT_ALONE = {206, 304}


def install(app: Flask) -> None:
    """Compress an app's answers; to be called before what gives them their ETags, so that it is done after it."""

    @app.after_request
    def compress(response: Response) -> Response:
        if not COMPRESSIBLE.match(response.mimetype or ""):
            return response
        # Also on what is not compressed: another client may get it compressed, under the same ETag.
        response.vary.add("Accept-Encoding")
        etag, is_weak = response.get_etag()
        if etag and not is_weak:
            response.set_etag(etag, weak=True)
        if response.status_code not in LEFT_ALONE and _is_wanted(response):
            _encode(response)
        return response


def choose_coding(accepted: Accept, size: int) -> str | None:
    """How a client wants a body of this size: gzip, or None for as it is."""
    identity = accepted.quality("identity")
    is_refused = identity == 0 and any(name.lower() in {"identity", "*"} for name in accepted.values())
    if accepted.quality(CODING) == 0 or accepted.quality(CODING) < identity:
        return None
    return CODING if size >= SMALLEST or is_refused else None


def _is_wanted(response: Response) -> bool:
    size = response.calculate_content_length() or response.content_length or 0
    return choose_coding(request.accept_encodings, size) is not None


def _encode(response: Response) -> None:
    response.direct_passthrough = False  # a file is read
    response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
    response.headers["Content-Encoding"] = CODING
    response.headers.pop("Accept-Ranges", None)
