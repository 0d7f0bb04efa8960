"""How long to leave a failing feed alone: exponential back-off with full jitter, and a circuit breaker."""

from collections.abc import Callable

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 60.0
LONGEST_RETRY_AFTER = 3600.0
# So many failures in a row open the circuit: from then on, one call now and then tries whether the feed is back.
OPENING_FAILURES = 6
OPEN_SECONDS = 300.0


class Backoff:
    """Counts the failures in a row."""

    def __init__(self, uniform: Callable[[float, float], float]) -> None:
        """`uniform` draws a number between two, as random.uniform does."""
        self._uniform = uniform
        self._failures = 0

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open: the feed counts as down."""
        return self._failures >= OPENING_FAILURES

    def succeed(self) -> None:
        """The feed has answered."""
        self._failures = 0

    def fail(self, retry_after: float | None = None) -> float:
        """Count a failure; returns how many seconds to wait, at least what the feed asks for within reason.

        While the circuit is closed that is drawn from 0 to a bound which doubles ("full jitter", Brooker 2015), so that
        many clients of a feed that comes back do not call all at once.
        """
        self._failures += 1
        if self.is_open:
            wait = self._uniform(OPEN_SECONDS, 1.2 * OPEN_SECONDS)
        else:
            wait = self._uniform(0.0, min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** (self._failures - 1)))
        return max(wait, min(LONGEST_RETRY_AFTER, retry_after or 0.0))
