"""Headers that every answer carries, and which other sites' pages may use the API."""

from flask import Flask, Response, request

from common.settings import Settings

# Pages take everything from us, and nothing inline; nobody frames them.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
CORS_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE",
    # What the service reads, and what browsers' clients send of their own accord: tracing, and no caches between.
    "Access-Control-Allow-Headers": "Authorization, baggage, Cache-Control, Content-Type, Idempotency-Key, "
    "If-None-Match, Last-Event-ID, Pragma, traceparent, tracestate, X-API-Key, X-Request-ID",
    "Access-Control-Expose-Headers": "Allow, ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, "
    "WWW-Authenticate, X-Request-ID",
    "Access-Control-Max-Age": "600",
}


def install(app: Flask, settings: Settings) -> None:
    """Add the headers to every answer of an app."""
    origins = listed_origins(settings)

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return allow_origin(response, origins) if origins else response


def allow_origin(response: Response, origins: set[str]) -> Response:
    """Let a listed origin's page read the answer; with its key, never with a login's cookie."""
    response.vary.add("Origin")
    response.headers.update(cors_headers(request.headers.get("Origin"), origins))
    return response


def cors_headers(origin: str | None, origins: set[str]) -> dict[str, str]:
    """What lets a page of that origin read an answer, if it is listed."""
    return {"Access-Control-Allow-Origin": origin, **CORS_HEADERS} if origin in origins and origin else {}


def listed_origins(settings: Settings) -> set[str]:
    """Origins whose pages may use the API."""
    return set(filter(None, settings.cors_origins.split(",")))
