"""What requests cost, in units of their key's limit: one at the door, the rest once it is known and before the work."""

from flask import Response, abort, after_this_request, g

from service.access.keys import Key
from service.access.rate_limiter import RateLimiter
from service.http.problems import problem_response

AT_THE_DOOR = 1


class Account:
    """What one request uses of its key's limit."""

    def __init__(self, limits: RateLimiter, key: Key) -> None:
        self._limits = limits
        self._key = key
        self._remaining = self._seconds = self._paid = 0

    def charge(self, price: int) -> Response | None:
        """Count what is not paid yet of a price; the answer that refuses the request if the key has not so much."""
        key, units = self._key, price - self._paid
        if price > key.per_minute:
            detail = f"this costs {price} units, more than the {key.per_minute} a minute of the key {key.name!r}"
            return problem_response(422, f"{detail}: ask for less at a time")
        if units <= 0:
            return None
        verdict = self._limits.admit(key.slot, key.per_minute, units, self._paid)
        self._remaining, self._seconds = verdict.remaining, verdict.seconds
        if verdict.admitted:
            self._paid = price
            return None
        detail = f"this costs {price} of the {key.per_minute} units a minute of the key {key.name!r}"
        detail += f", which are used; wait {verdict.seconds} s"
        return problem_response(429, detail, retry_after=verdict.seconds)

    def add_headers(self, response: Response) -> Response:
        """Headers of draft-ietf-httpapi-ratelimit-headers."""
        response.headers["RateLimit-Policy"] = f'"key";q={self._key.per_minute};w=60'
        response.headers["RateLimit"] = f'"key";r={self._remaining};t={self._seconds}'
        return response


def open_account(limits: RateLimiter, key: Key) -> Response | None:
    """Charge the current request at the door; the answer that refuses it, if it is refused."""
    account = Account(limits, key)
    after_this_request(account.add_headers)
    g.account = account
    return account.charge(AT_THE_DOOR)


def charge_request(price: int) -> None:
    """Charge the current request the rest of its price, or refuse it. One that came without a key costs nothing."""
    account: Account | None = g.get("account")
    if account and (refusal := account.charge(price)):
        abort(refusal)
