"""What trusted proxies say of a request: who sent it, by which scheme, to which host, below which path prefix.

The headers of all others have no effect. A trusted proxy must set or remove each of them.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.request import parse_http_list

from flask import Flask
from werkzeug.exceptions import HTTPException, NotFound

from common.settings import PATH_PREFIX, Network, Settings

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::[0-9]+)?|([0-9.]+):[0-9]+")


@dataclass(frozen=True)
class Forwarded:
    """What the headers of one request say. Of what several proxies appended, the nearest one's is the last."""

    hops: Sequence[str] = ()  # who sent the request to the first proxy, to the second, …
    scheme: str = ""
    host: str = ""
    prefix: str = ""


class ForwardedRequests:
    """A WSGI application that lets another one see requests as their clients sent them."""

    def __init__(
        self, application: Application, trusted: Sequence[Network], prefix: str, has_route: Callable[[str], bool]
    ) -> None:
        """`prefix`: the path prefix of requests whose proxy names none. `has_route`: whether a path is the app's."""
        self._application = application
        self._trusted = trusted
        self._prefix = prefix
        self._has_route = has_route

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        forwarded = Forwarded()
        peer = parse_address(environ.get("REMOTE_ADDR", ""))
        if peer is not None:
            if is_trusted(peer, self._trusted):
                forwarded = read_headers(environ)
            environ["REMOTE_ADDR"] = str(find_client(peer, forwarded.hops, self._trusted))
        if forwarded.scheme in {"http", "https"}:
            environ["wsgi.url_scheme"] = forwarded.scheme
        if HOST.fullmatch(forwarded.host):
            environ["HTTP_HOST"] = forwarded.host
        given = forwarded.prefix.rstrip("/")
        self._take_off(environ, given if given and re.fullmatch(PATH_PREFIX, given) else self._prefix)
        return self._application(environ, start_response)

    def _take_off(self, environ: Environ, prefix: str) -> None:
        """Take the prefix off a path that still has it. The proxy may have done so: a path that is ours stays."""
        if environ.get("SCRIPT_NAME") or not prefix:  # gunicorn has done it, as a trusted proxy's header says
            return
        environ["SCRIPT_NAME"] = prefix
        path = environ["PATH_INFO"]
        if f"{path}/".startswith(f"{prefix}/") and not self._has_route(path):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"


def install(app: Flask, settings: Settings) -> None:
    """Read forwarded requests before anything else does; to be called last."""
    routes = app.url_map.bind("localhost")

    def has_route(path: str) -> bool:
        try:
            routes.match(path)
        except NotFound:
            return False
        except HTTPException:  # a redirection, or another method's
            return True
        return True

    app.wsgi_app = ForwardedRequests(  # type: ignore[method-assign]
        app.wsgi_app, settings.trusted_networks, settings.path_prefix, has_route
    )


def read_headers(environ: Environ) -> Forwarded:
    """`X-Forwarded-*`; `Forwarded` (RFC 7239) where there is none of them."""
    names = ("FOR", "PROTO", "HOST", "PREFIX")
    listed = {name: _split(environ.get(f"HTTP_X_FORWARDED_{name}", "")) for name in names}
    if not any(listed.values()):
        elements = [_read_pairs(element) for element in parse_http_list(environ.get("HTTP_FORWARDED", ""))]
        listed = {name: [pairs[name] for pairs in elements if name in pairs] for name in names}
    scheme, host, prefix = ("".join(listed[name][-1:]) for name in names[1:])
    return Forwarded(listed["FOR"], scheme.lower(), host, prefix)


def find_client(peer: IpAddress, hops: Sequence[str], trusted: Sequence[Network]) -> IpAddress:
    """The nearest hop that is not a trusted proxy; where a hop cannot be read, the proxy that names it."""
    client = peer
    for hop in reversed(hops):
        sender = parse_address(hop) if is_trusted(client, trusted) else None
        if sender is None:
            break
        client = sender
    return client


def is_trusted(address: IpAddress, trusted: Sequence[Network]) -> bool:
    """Whether an address is a trusted proxy's."""
    return any(address in network for network in trusted)


def parse_address(text: str) -> IpAddress | None:
    """An address, perhaps with a port; None if it is none."""
    found = WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((found[1] or found[2] if found else text).partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _split(header: str) -> list[str]:
    return [part.strip() for part in header.split(",") if part.strip()]


def _read_pairs(element: str) -> dict[str, str]:
    """`for=192.0.2.1;proto=https`."""
    pairs = (pair.partition("=") for pair in element.split(";"))
    return {name.strip().upper(): value.strip().strip('"') for name, _, value in pairs}
