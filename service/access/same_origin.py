"""Whether one of our own pages sends a request: the browser says so, by headers that no page can set."""

from flask import abort, request

REFUSED = (
    "only this service's own pages may send this, which `Sec-Fetch-Site: same-origin` or an `Origin` that matches the "
    "host proves; a program sends a key, not a login's cookie"
)


def require_own_page() -> None:
    """403 unless one of our pages, or the visitor without any page (`none`), sends the request.

    The rules of Go's `http.CrossOriginProtection`, but for requests without either header: those are refused.
    `Origin` decides where a browser sends no `Sec-Fetch-Site`: an old one, or one that came by plain HTTP.
    """
    site = request.headers.get("Sec-Fetch-Site")
    own_origins = {f"{scheme}://{request.host}" for scheme in ("http", "https")}  # a proxy may have ended TLS
    own = request.headers.get("Origin") in own_origins if site is None else site in {"same-origin", "none"}
    if not own:
        abort(403, REFUSED)
