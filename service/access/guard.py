"""Who may do what: checked before each request."""

import logging
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, abort, current_app, g, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_openapi3 import SecurityScheme

from common.settings import Settings
from service.access.charging import open_account
from service.access.failed_logins import FailedLogins
from service.access.keys import READ, WRITE, Key, KeyRing, Scope
from service.access.logins import COOKIE, Logins
from service.access.rate_limiter import RateLimiter
from service.access.same_origin import require_own_page
from service.access.stream_tokens import PARAMETER, StreamTokens
from service.http.policy import SAFE_METHODS, requested_policy
from service.http.problems import problem_response

logger = logging.getLogger(__name__)

EXTENSION = "access"
MAKE_A_KEY = "`python -m service keys add NAME --scope write` makes one"

SECURITY_SCHEMES: dict[str, SecurityScheme | dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key"},
    "streamToken": {
        "type": "apiKey",
        "in": "query",
        "name": PARAMETER,
        "description": "Of `POST /v1/stream/tokens`, for `/v1/stream` alone",
    },
}
# One of them, or none where the service is open.
SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}, {}]
STREAM_SECURITY: list[dict[str, list[str]]] = [{"streamToken": []}, *SECURITY]


class Access:
    """The keys, logins and limits of an app."""

    def __init__(self, settings: Settings) -> None:
        self._open = settings.open
        self.ring = KeyRing(settings.keys_path, required=settings.keys is not None)
        self.stream_tokens = StreamTokens(settings.data / "login-secret", self.ring)
        self.logins = Logins(settings.data / "logins.json", self.ring)
        self.failures = FailedLogins(settings.data)
        self._limits = RateLimiter(settings.data / "rate-limits")

    def check(self) -> ResponseReturnValue | None:
        """Nothing if the request may go on; else the answer that refuses it."""
        policy = requested_policy(current_app, request)
        if request.method == "OPTIONS" or policy.scope is None:
            return None
        presented, token = read_presented_key(), request.args.get(PARAMETER)
        if policy.by_token and presented is None and token is not None:
            return self._check_token(token)
        return self._check_key(policy.scope, presented)

    def recognise_login(self) -> Key | None:
        """The key of who is logged in."""
        cookie = request.cookies.get(COOKIE)
        return self.logins.recognise(cookie) if cookie else None

    def _check_key(self, scope: Scope, presented: str | None) -> ResponseReturnValue | None:
        key = self.recognise_login() if presented is None else self.ring.find(presented)
        if key is None and presented is not None:
            wait = self.failures.add("api")
            return refuse_tries(wait) if wait else refuse_key()
        if key is None:
            strangers = self._open or (scope == READ and self.ring.keys() is None)
            return None if strangers else ask_for_key(scope)
        if not key.allows(scope):
            return refuse_scope(key, scope)
        if presented is None and scope == WRITE:
            require_own_page()
        g.key = key
        return self._count(key)

    def _check_token(self, token: str) -> ResponseReturnValue | None:
        key = self.stream_tokens.recognise(token)
        if key is None:
            return refuse_key("the token is too old, wrong, or its key has gone: get a new one")
        return self._count(key)

    def _count(self, key: Key) -> ResponseReturnValue | None:
        g.key_name = key.name
        return open_account(self._limits, key)


def install(app: Flask, settings: Settings) -> None:
    """Check every request of an app."""
    access = Access(settings)
    app.extensions[EXTENSION] = access
    app.before_request(access.check)


def current_access() -> Access:
    """The current app's access."""
    access = current_app.extensions[EXTENSION]
    if not isinstance(access, Access):
        raise TypeError(f"app.extensions[{EXTENSION!r}] is no Access")
    return access


def key_name() -> str | None:
    """The name of the key that the request came with, or whose holder is logged in."""
    name: str | None = g.get("key_name")
    return name


def require_key() -> Key:
    """The key of the current request; 401 without one, also where nobody needs one."""
    key = g.get("key")
    if not isinstance(key, Key):
        abort(make_response(ask_for_key(READ)))
    return key


def read_presented_key() -> str | None:
    """The key that comes with the request, if any."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key")


def ask_for_key(scope: Scope) -> ResponseReturnValue:
    """401; browsers are sent to the login page."""
    root = request.script_root
    if request.method in SAFE_METHODS and "text/html" in request.headers.get("Accept", ""):
        return redirect(f"{root}/login?" + urlencode({"next": root + request.full_path.removesuffix("?")}))
    wanted = f"needs an API key with the scope {scope}, as `Authorization: Bearer KEY` or `X-API-Key: KEY`"
    response = problem_response(401, f"this {wanted}; {MAKE_A_KEY}")
    response.headers["WWW-Authenticate"] = 'Bearer realm="recommender"'
    return response


def refuse_key(detail: str = "there is no such API key") -> Response:
    """401: what was presented opens nothing, or no longer."""
    response = problem_response(401, detail)
    response.headers["WWW-Authenticate"] = 'Bearer realm="recommender", error="invalid_token"'
    return response


def refuse_tries(seconds: int) -> Response:
    """429: too many wrong keys came from the client's address."""
    detail = f"too many wrong keys came from this address; wait {seconds} s"
    return problem_response(429, detail, retry_after=seconds)


def refuse_scope(key: Key, scope: Scope) -> Response:
    """403: the key is known, and may not do that."""
    response = problem_response(403, f"the key {key.name!r} may {' and '.join(key.scopes)} only; this needs {scope}")
    response.headers["WWW-Authenticate"] = f'Bearer realm="recommender", error="insufficient_scope", scope="{scope}"'
    return response
