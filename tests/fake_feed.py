"""A feed that answers whatever a test sets, over real HTTP."""

import socketserver

from stream.simulator import PATH


def response(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """A whole HTTP response; `Retry_After="5"` becomes a header."""
    named = {
        "Content-Length": str(len(body)),
        "Connection": "close",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


class FakeFeed(socketserver.ThreadingTCPServer):
    """Answers each call with the bytes set last; counts the calls."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FakeFeedHandler)
        self.answer = b""
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}{PATH}"


class FakeFeedHandler(socketserver.StreamRequestHandler):
    """One call."""

    server: FakeFeed

    def handle(self) -> None:
        """Read the request, answer."""
        self.server.requests.append(self.rfile.readline())
        while self.rfile.readline().strip():
            pass
        # The client hangs up on an answer that is too large.
        try:
            self.wfile.write(self.server.answer)
        except ConnectionError:
            return
