"""Our nginx before the service: what is slow, too large, ambiguous or forged ends there; all else comes through."""

import http.client
import json
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from conftest import wait_until
from gunicorn_service import GunicornService, service_settings, serving
from nginx_proxy import TEMPLATE, Nginx, proxying

from graph.database import Database
from graph.server.ports import free_ports
from graph.server.process import EmbeddedServer
from service.access.keys import add_key
from service.http.bodies import LARGEST_BODY

HEAD = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
PREFIX = "/movies"
# Connections that a process of nginx keeps in the test of too many.
FEW_CONNECTIONS = 64


@dataclass(frozen=True)
class Proxied:
    """The service and an nginx before it."""

    service: GunicornService
    nginx: Nginx
    key: str

    def requests(self) -> list[str]:
        """Method and route of all that the service has answered."""
        lines = self.service.lines()
        return [f"{line['method']} {line['route']}" for line in lines if line["logger"] == "service.requests"]


@pytest.fixture(scope="module")
def proxied(neo4j: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("proxied")
    settings = service_settings(neo4j, folder / "data").model_copy(update={"trusted_proxies": "127.0.0.1"})
    key = add_key(settings.keys_path, "w", "write", 100_000)
    with serving(settings, folder) as service, proxying(settings.port, folder / "nginx") as nginx:
        yield Proxied(service, nginx, key)
        assert key not in nginx.errors.read_text()


# As a browser says that one of our pages sends a request.
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


def head(*headers: str) -> bytes:
    """The head of a POST of events."""
    return (HEAD + "".join(f"{header}\r\n" for header in headers) + "\r\n").encode()


def require_problem(answer: bytes, *statuses: int) -> None:
    """A problem document of one of these statuses."""
    start, _, body = answer.partition(b"\r\n\r\n")
    status = int(start.split()[1])
    assert status in statuses, start
    assert b"content-type: application/problem+json" in start.lower()
    assert json.loads(body)["status"] == status


def test_answers_come_through_as_they_are(proxied: Proxied) -> None:
    urls = (proxied.service.url, proxied.nginx.url)
    direct, through = (requests.get(f"{url}/openapi.json", timeout=10) for url in urls)
    assert (through.status_code, through.content) == (200, direct.content)
    ours = set(direct.headers) - {"Server", "Date", "Connection", "Transfer-Encoding", "Content-Length"}
    assert ours <= set(through.headers)


@pytest.mark.parametrize("line", ["GET /v1/movies/a%2Fb HTTP/1.1", "GET /v1//movies HTTP/1.1"])
def test_paths_reach_the_service_as_they_were_sent(proxied: Proxied, line: str) -> None:
    request = f"{line}\r\nHost: localhost:{proxied.service.settings.port}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", proxied.service.settings.port), timeout=10) as connection:
        connection.sendall(request)
        direct = b"".join(iter(lambda: connection.recv(65536), b""))
    assert proxied.nginx.send(request).split()[1] == direct.split()[1]


def test_the_sizes_are_those_of_the_service(proxied: Proxied) -> None:
    assert "client_max_body_size 1m;" in TEMPLATE.read_text()
    assert LARGEST_BODY == 1 << 20
    headers = {"Content-Type": "application/json", "X-API-Key": proxied.key}
    body = b"[" + b" " * (LARGEST_BODY - 2) + b"]"
    assert requests.post(f"{proxied.nginx.url}/v1/events", body, headers=headers, timeout=10).status_code == 422


@pytest.mark.parametrize("framing", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
def test_a_body_too_large_is_refused(proxied: Proxied, framing: str) -> None:
    before = proxied.requests()
    piece = b" " * 65536 if "Length" in framing else b"10000\r\n" + b" " * 65536 + b"\r\n"
    begin = time.monotonic()
    require_problem(proxied.nginx.send(head(framing), *[piece] * 17), 413)
    assert time.monotonic() - begin < 8
    assert proxied.requests() == before


def test_what_does_not_come_in_to_its_end_is_given_up(proxied: Proxied) -> None:
    before = proxied.requests()

    def send(*pieces: bytes, pause: float = 0.0) -> tuple[bytes, float]:
        begin = time.monotonic()
        return proxied.nginx.send(*pieces, pause=pause), time.monotonic() - begin

    with ThreadPoolExecutor() as pool:
        answers = [
            pool.submit(send),
            pool.submit(send, head("Content-Length: 100"), b"["),
            pool.submit(send, head("Transfer-Encoding: chunked"), b"5\r\nabc\r\n\r\n"),
            pool.submit(send, b"GET / HTTP/1.1\r\n", *[b"X: 1\r\n"] * 30, pause=0.25),
        ]
    for answer in answers:
        received, seconds = answer.result()
        assert not received or received.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 "))
        assert seconds < 9
    assert proxied.requests() == before


def test_who_drips_a_body_keeps_no_thread_of_the_service(proxied: Proxied) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", proxied.nginx.port)))
            connection.sendall(head("Content-Length: 100") + b"[")
        before = proxied.requests()
        begin = time.monotonic()
        assert requests.get(f"{proxied.nginx.url}/openapi.json", timeout=10).ok
        assert time.monotonic() - begin < 2.5
    assert proxied.requests() == [*before, "GET /openapi.json"]


@pytest.mark.parametrize(
    "headers",
    [[f"X-{number}: 1" for number in range(100)], ["X: " + "x" * 10_000], ["X: " + "x" * 4000] * 60],
    ids=["many", "long", "both"],
)
def test_floods_of_headers_are_refused(proxied: Proxied, headers: list[str]) -> None:
    require_problem(proxied.nginx.send(head("Content-Length: 0", *headers)), 400, 431)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /v1/movies?query=" + "x" * 9000 + " HTTP/1.1", 414),
        ("GET /\0 HTTP/1.1", 400),
        ("nonsense", 400),
        ("GET / HTTP/9.9", 505),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: nonsense", 501),
    ],
)
def test_what_is_no_request_is_told_so_in_a_problem(proxied: Proxied, line: str, status: int) -> None:
    require_problem(proxied.nginx.send(f"{line}\r\nHost: test\r\n\r\n".encode()), status)


def test_of_too_many_idle_connections_the_newest_are_kept(proxied: Proxied, tmp_path: Path) -> None:
    port = proxied.service.settings.port
    with proxying(port, tmp_path / "nginx", connections=FEW_CONNECTIONS) as nginx, ExitStack() as stack:
        connections = []
        for _ in range(8 * FEW_CONNECTIONS):
            connection = stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=10)))
            connection.request("GET", "/health/live")
            assert connection.getresponse().read()
            connections.append(connection)
        newest = connections[-8:]
        assert all(one.sock and not select.select([one.sock], [], [], 0)[0] for one in newest)
        newest[0].request("GET", "/health/live")
        assert newest[0].getresponse().read()


def test_messages_of_the_stream_come_at_once(proxied: Proxied, database: Database) -> None:
    database.run_text("CREATE (:Movie {movieId: 1, title: 'One'})")
    wait_until(lambda: proxied.service.get("/v1/movies/1").ok)
    event = {"userId": 1, "movieId": 1, "type": "started"}
    with requests.get(f"{proxied.nginx.url}/v1/stream", stream=True, timeout=10) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lines = stream.iter_lines(chunk_size=1)
        assert next(lines) == b": still here"
        wait_until(lambda: requests.post(f"{proxied.nginx.url}/v1/events", json=event, timeout=10).status_code == 200)
        begin = time.monotonic()
        assert any(line == b"event: watch" for line in lines)
        assert time.monotonic() - begin < 2


def test_a_service_below_a_path_prefix(proxied: Proxied, tmp_path: Path) -> None:
    with proxying(proxied.service.settings.port, tmp_path / "nginx", prefix=PREFIX) as nginx:
        assert requests.get(f"{nginx.url}{PREFIX}/health/live", timeout=10).json() == {"live": True}
        require_problem(nginx.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"), 404)
        for path in ("/docs", "/logout"):
            method = "POST" if path == "/logout" else "GET"
            answer = requests.request(
                method, f"{nginx.url}{PREFIX}{path}", headers=OWN_PAGE, allow_redirects=False, timeout=10
            )
            assert answer.headers["Location"] in (f"{PREFIX}/docs/swagger", f"{PREFIX}/login")
        with requests.get(f"{nginx.url}{PREFIX}/v1/stream", stream=True, timeout=10) as stream:
            assert next(stream.iter_lines(chunk_size=1)) == b": still here"


@pytest.mark.parametrize(("scheme", "secure"), [("$scheme", False), ("https", True)])
def test_what_clients_say_of_the_way_they_came_is_not_believed(
    proxied: Proxied, tmp_path: Path, scheme: str, secure: bool
) -> None:
    forged = {
        **OWN_PAGE,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Ssl": "on",
        "X-Forwarded-Protocol": "ssl",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=192.0.2.1;proto=https;host=evil.example",
        "SCRIPT_NAME": "/evil",
        "Script-Name": "/evil",
    }
    with proxying(proxied.service.settings.port, tmp_path / "nginx", scheme=scheme) as nginx:
        answer = requests.post(
            f"{nginx.url}/login", {"key": proxied.key}, headers=forged, allow_redirects=False, timeout=10
        )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert ("Secure" in answer.headers["Set-Cookie"]) == secure


def test_a_service_that_is_away_is_told_as_the_service_would(tmp_path: Path) -> None:
    [nobody] = free_ports(1)
    with proxying(nobody, tmp_path / "nginx") as nginx:
        answer = requests.get(f"{nginx.url}/health/live", timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 503


def test_a_service_that_stops_leaves_no_answer_broken(neo4j: EmbeddedServer, tmp_path: Path) -> None:
    """Whoever comes while it is away is told to come again."""
    settings = service_settings(neo4j, tmp_path / "data")
    statuses: Counter[int] = Counter()
    stopped = threading.Event()

    def ask(url: str) -> None:
        with requests.Session() as session:
            while not stopped.is_set():
                statuses[session.get(f"{url}/openapi.json", timeout=10).status_code] += 1

    with serving(settings, tmp_path) as service, proxying(settings.port, tmp_path / "nginx") as nginx:
        with ThreadPoolExecutor() as pool:
            asking = [pool.submit(ask, nginx.url) for _ in range(6)]
            wait_until(lambda: statuses[200] > 50)
            service.process.terminate()
            assert service.process.wait(20) == 0
            wait_until(lambda: statuses[503] > 50)
            stopped.set()
        assert [future.exception() for future in asking] == [None] * len(asking)
    assert set(statuses) == {200, 503}


HIDDEN = "DELETE /v1/users/1 HTTP/1.1\r\nHost: localhost\r\nX: "
# Framings of which one reader may see the end of the body before the hidden request, another behind it.
AMBIGUOUS = {
    "length and chunked": [f"Content-Length: {len(HIDDEN) + 5}", "Transfer-Encoding: chunked"],
    "chunked and length": ["Transfer-Encoding: chunked", f"Content-Length: {len(HIDDEN) + 5}"],
    "space before the colon": [f"Content-Length: {len(HIDDEN) + 5}", "Transfer-Encoding : chunked"],
    "tab before the value": [f"Content-Length: {len(HIDDEN) + 5}", "Transfer-Encoding:\tchunked"],
    "another coding": [f"Content-Length: {len(HIDDEN) + 5}", "Transfer-Encoding: xchunked"],
    "two codings": [f"Content-Length: {len(HIDDEN) + 5}", "Transfer-Encoding: identity", "Transfer-Encoding: chunked"],
    "folded": [f"Content-Length: {len(HIDDEN) + 5}", "X: 1\r\n Transfer-Encoding: chunked"],
    "vertical tab": [f"Content-Length: {len(HIDDEN) + 5}", "Transfer-Encoding: \x0bchunked"],
    "an underscore": [f"Content-Length: {len(HIDDEN) + 5}", "Transfer_Encoding: chunked"],
    "carriage return alone": [f"Content-Length: {len(HIDDEN) + 5}", "X: 1\rTransfer-Encoding: chunked"],
    "two lengths": [f"Content-Length: {len(HIDDEN) + 5}", "Content-Length: 5"],
    "a list of lengths": [f"Content-Length: {len(HIDDEN) + 5}, 5"],
    "a signed length": [f"Content-Length: +{len(HIDDEN) + 5}"],
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_no_request_is_smuggled_in_a_body(proxied: Proxied, name: str) -> None:
    """The service must not see the hidden request, and nobody get an answer to another's."""
    before = len(proxied.requests())
    lines = ["POST /v1/events HTTP/1.1", "Host: localhost", "Content-Type: application/json", *AMBIGUOUS[name]]
    attempt = ("\r\n".join(lines) + "\r\n\r\n0\r\n\r\n" + HIDDEN).encode()
    with socket.create_connection(("127.0.0.1", proxied.nginx.port), timeout=10) as connection:
        connection.sendall(attempt)
        received = connection.recv(65536)
        for _ in range(4):  # on the connections to the service that the attempt has used
            answer = requests.get(f"{proxied.nginx.url}/health/live", timeout=10)
            assert (answer.status_code, answer.json()) == (200, {"live": True})
    assert received.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501 "))
    seen = proxied.requests()[before:]
    assert seen.count("GET /health/live") == 4
    assert set(seen) <= {"GET /health/live", "POST /v1/events"}


@pytest.mark.parametrize(
    "body",
    [
        "5;\n\r\n0\r\n\r\n",
        "0;x\n\r\n",
        "0x1\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n0\r\n\r\n",
        "2\r\n[]x0\r\n\r\n",
        "2 \r\n[]\r\n0\r\n\r\n",
        "-1\r\n\r\n",
    ],
)
def test_no_request_is_smuggled_in_chunks(proxied: Proxied, body: str) -> None:
    """nginx reads chunks and sends on a body with a length."""
    before = len(proxied.requests())
    proxied.nginx.send(head("Transfer-Encoding: chunked") + (body + HIDDEN).encode(), seconds=12)
    assert requests.get(f"{proxied.nginx.url}/health/live", timeout=10).json() == {"live": True}
    assert set(proxied.requests()[before:]) <= {"GET /health/live", "POST /v1/events"}
