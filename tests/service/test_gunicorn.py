"""The service's real processes: what they share, and what comes in broken, late or too large. No Neo4j is needed."""

import http.client
import json
import resource
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from conftest import wait_until
from gunicorn_service import Address

from common.budget import ARRIVAL
from common.settings import ROOT, Settings
from graph.server.ports import free_ports
from scripts.sandbox import environment_of
from service.access.keys import add_key

READ_PATH = "/openapi.json"


@dataclass(frozen=True)
class Processes(Address):
    """A master and two workers."""

    keys_file: Path
    output: Path
    key: str

    def head(self, *headers: str) -> bytes:
        """The head of a POST of events that is let in."""
        lines = ("POST /v1/events HTTP/1.1", "Host: test", f"X-API-Key: {self.key}", "Content-Type: application/json")
        return "\r\n".join((*lines, "Connection: close", *headers, "", "")).encode()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    data = tmp_path_factory.mktemp("gunicorn") / "data"
    [port] = free_ports(1)
    settings = Settings(data=data, port=port, workers=2, neo4j_uri="bolt://127.0.0.1:9", log_level="DEBUG")
    started = Processes(
        port, data / "keys.json", data / "output.txt", add_key(data / "keys.json", "w", "write", 10_000)
    )
    command = [sys.executable, "-m", "gunicorn", "--config", "python:service.gunicorn_config"]
    logged = ["--access-logfile", "-", "--access-logformat", "pid=%(p)s %(r)s %(s)s"]
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    with started.output.open("wb") as output:
        process = subprocess.Popen(
            [*command, *logged, "--threads", "400"],
            cwd=ROOT,
            env=environment_of(settings),
            stdout=output,
            stderr=output,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, most_files)),
        )
    try:
        wait_until(lambda: len(count_answers(started, "/health/live")) == 2, 120)
        yield started
    finally:
        process.terminate()
        process.wait(30)


def count_answers(processes: Processes, path: str) -> Counter[str]:
    """How often each process has answered a path, after one more call of it."""
    with suppress(requests.RequestException):
        headers = {"X-API-Key": processes.key, "Connection": "close"}
        requests.get(processes.url + path, headers=headers, timeout=10)
    return Counter(
        line.split()[0]
        for line in processes.output.read_text().splitlines()
        if line.startswith("pid=") and f" {path} " in line
    )


def test_the_processes_share_a_limit_and_see_new_keys(processes: Processes) -> None:
    key = add_key(processes.keys_file, "limited", "read", 60)
    begin = time.monotonic()

    def call(_: int) -> int:
        headers = {"X-API-Key": key, "Connection": "close"}
        return requests.get(processes.url + READ_PATH, headers=headers, timeout=10).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(call, range(200)))
    seconds = time.monotonic() - begin
    assert set(answers) == {200, 429}
    assert 60 <= answers[200] <= 61 + seconds
    assert len(count_answers(processes, READ_PATH)) == 2, "both processes have answered"


def test_a_body_too_large_is_refused_with_and_without_a_length(processes: Processes) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    for head, body in ((b"Content-Length: 5000000", b" " * 65536), (b"Transfer-Encoding: chunked", chunk)):
        begin = time.monotonic()
        answer = processes.send(processes.head(head.decode()), *[body] * 17)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"application/problem+json" in answer
        assert time.monotonic() - begin < 8


def test_a_chunked_body_within_the_limit_is_read(processes: Processes) -> None:
    answer = processes.send(processes.head("Transfer-Encoding: chunked"), b"2\r\n[]\r\n", b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 422 ")


@pytest.mark.parametrize("body", [b"zz\r\n", b"2\r\n[]xx", b"-1\r\n"])
def test_a_broken_chunked_body_is_a_bad_request(processes: Processes, body: bytes) -> None:
    answer = processes.send(processes.head("Transfer-Encoding: chunked"), body + b"\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 "))
    assert b"application/problem+json" in answer


def test_what_does_not_come_in_to_its_end_is_given_up(processes: Processes) -> None:
    """Bodies and a head that stop or drip, all at once."""
    length = processes.head("Content-Length: 100")

    def send(*pieces: bytes, pause: float = 0.0) -> tuple[bytes, float]:
        begin = time.monotonic()
        return processes.send(*pieces, pause=pause), time.monotonic() - begin

    with ThreadPoolExecutor() as pool:
        body_stops = pool.submit(send, length, b"[")
        chunk_stops = pool.submit(send, processes.head("Transfer-Encoding: chunked"), b"5\r\nabc\r\n\r\n")
        body_drips = pool.submit(send, length, *[b" "] * 30, pause=0.25)
        head_drips = pool.submit(send, b"GET / HTTP/1.1\r\n", *[b"X: 1\r\n"] * 30, pause=0.25)
    for answer, seconds in (body_stops.result(), chunk_stops.result()):
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in answer
        assert 4 < seconds < 8
    answer, seconds = body_drips.result()
    assert not answer or answer.startswith(b"HTTP/1.1 408 ")
    assert seconds < 9
    answer, seconds = head_drips.result()
    assert (answer, seconds < 9) == (b"", True)


def test_others_are_served_while_hundreds_drip(processes: Processes) -> None:
    dripping = []
    for _ in range(300):
        connection = socket.create_connection(("127.0.0.1", processes.port))
        connection.sendall(processes.head("Content-Length: 100") + b"[")
        dripping.append(connection)
    begin = time.monotonic()
    assert requests.get(f"{processes.url}{READ_PATH}", headers={"X-API-Key": processes.key}, timeout=10).ok
    assert time.monotonic() - begin < 2.5
    for connection in dripping:
        connection.close()


@pytest.mark.parametrize(
    "headers",
    [[f"X-{number}: 1" for number in range(100)], ["X: " + "x" * 10_000], ["X: " + "x" * 4000] * 60],
    ids=["many", "long", "both"],
)
def test_floods_of_headers_are_refused(processes: Processes, headers: list[str]) -> None:
    answer = processes.send(processes.head(*headers))
    assert not answer or (answer.startswith(b"HTTP/1.1 4") and b"application/problem+json" in answer)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /v1/movies?query=" + "x" * 9000 + " HTTP/1.1", 414),
        ("GET /\0 HTTP/1.1", 400),
        ("nonsense", 400),
        ("GET / HTTP/9.9", 400),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: nonsense", 501),
    ],
)
def test_what_is_no_request_is_told_so_in_a_problem(processes: Processes, line: str, status: int) -> None:
    head, _, body = processes.send(f"{line}\r\nHost: test\r\n\r\n".encode()).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status


def test_the_connection_is_kept_and_used_again(processes: Processes) -> None:
    """Longer than gunicorn itself would keep it, and than a request may take to come in."""
    used = set()
    with closing(http.client.HTTPConnection("127.0.0.1", processes.port, timeout=5)) as connection:

        def call(method: str, path: str, body: str | None = None) -> int:
            connection.request(method, path, body, {"X-API-Key": processes.key, "Content-Type": "application/json"})
            used.add(connection.sock)
            answer = connection.getresponse()
            answer.read()
            return answer.status

        assert [call("GET", READ_PATH) for _ in range(5)] == [200] * 5
        time.sleep(ARRIVAL + 1)
        assert call("POST", "/v1/events", "[]") == 422
    assert len(used) == 1


def test_no_key_is_in_any_log(processes: Processes) -> None:
    key = processes.key.encode()
    for header in (b"X-API-Key : ", b"X-API-Key: \x00", b"X API-Key: ", b" X-API-Key: ", b"X-API-Key\x00: "):
        answer = processes.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + header + key + b"\r\nConnection: close\r\n\r\n")
        assert key not in answer
    requests.get(processes.url + READ_PATH, headers={"Authorization": f"Bearer {processes.key}"}, timeout=5)
    own_page = {"Sec-Fetch-Site": "same-origin"}
    login = {"data": {"key": processes.key}, "headers": own_page, "allow_redirects": False}
    assert requests.post(f"{processes.url}/login", timeout=5, **login).status_code == 303
    logged = processes.output.read_text()
    assert "pid=" in logged
    assert processes.key not in logged
    assert "Traceback" not in logged
