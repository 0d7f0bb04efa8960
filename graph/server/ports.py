"""Ports of this machine."""

import random
import socket
from contextlib import ExitStack, suppress

from graph.errors import ServerError

# Below those that systems give to outgoing connections, one of which might take a port before it is listened on.
LISTENED_ON = range(15_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, each another."""
    drawn: list[int] = []
    with ExitStack() as stack:
        while len(drawn) < count:
            port = random.SystemRandom().choice(LISTENED_ON)
            with suppress(OSError):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
                drawn.append(port)
    return drawn


def require_free_port(port: int, variable: str) -> None:
    """Raise ServerError, naming the variable that moves it, if a port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ServerError(f"port {port} is taken by another program: set {variable} to a free one") from None


def answers(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
