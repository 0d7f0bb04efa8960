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
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, Last-Event-ID, X-API-Key",
    "Access-Control-Expose-Headers": "ETag, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID",
    "Access-Control-Max-Age": "600",
}


def install(app: Flask, settings: Settings) -> None:
    """Add the headers to every answer of an app."""
    origins = set(filter(None, settings.cors_origins.split(",")))

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return allow_origin(response, origins) if origins else response


def allow_origin(response: Response, origins: set[str]) -> Response:
    """Let a listed origin's page read the answer; with its key, never with a login's cookie."""
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers.update(CORS_HEADERS)
    return response
