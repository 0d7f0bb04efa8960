"""Wrong keys: each is logged with its client's address, and an address that sends too many has to wait."""

import hashlib
import ipaddress
import logging
from functools import cached_property
from pathlib import Path

from flask import request

from service.access.rate_limiter import RateLimiter
from service.access.secret import LENGTH, read_secret
from service.health.metrics import FAILED_LOGINS

logger = logging.getLogger(__name__)

# From one address at once, and after that so many a minute.
PER_MINUTE = 10
# Of the file: each address has one, and those that share one share its limit.
CELLS = 1 << 16
# Who has one IPv6 address has all of its network.
IPV6_NETWORK = 64


class FailedLogins:
    """Who sent wrong keys of late. All processes of a machine share it."""

    def __init__(self, folder: Path) -> None:
        self._limits = RateLimiter(folder / "failed-logins", slots=CELLS)
        self._secret_file = folder / "login-secret"

    def seconds_to_wait(self) -> int:
        """Seconds until the request's client may try a key again; 0 if it may now."""
        verdict = self._limits.admit(self._cell, PER_MINUTE, count=False)
        return 0 if verdict.admitted else verdict.seconds

    def add(self, way: str) -> int:
        """Count a wrong key that came this way; seconds until the client may try again, 0 if it may now."""
        verdict = self._limits.admit(self._cell, PER_MINUTE)
        if not verdict.admitted:
            self.count_refused(way)
            return verdict.seconds
        FAILED_LOGINS.labels(way, "wrong").inc()
        address = request.remote_addr
        fields = {"client": address, "way": way}
        logger.warning("a wrong key from %s (%s)", address, way, extra={"fields": fields})
        return 0

    def count_refused(self, way: str) -> None:
        """Count a try that was refused because there were too many; no line in the log, or it would be flooded."""
        FAILED_LOGINS.labels(way, "refused").inc()

    @property
    def _cell(self) -> int:
        """The cell of the request's client. Nobody can work out who shares one."""
        network = network_of(request.remote_addr or "")
        digest = hashlib.blake2b(network.encode(), key=self._secret, digest_size=8).digest()
        return int.from_bytes(digest) % CELLS

    @cached_property
    def _secret(self) -> bytes:
        return read_secret(self._secret_file).encode()[:LENGTH]


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the network of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ipaddress.ip_network((int(parsed), IPV6_NETWORK), strict=False))
