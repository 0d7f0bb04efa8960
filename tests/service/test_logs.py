"""What the service writes to its log: one line a request, whatever a client sends. There is no Neo4j here."""

import http.client
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from conftest import wait_until
from gunicorn_service import GunicornService, serving

from common.logs import REQUEST_ID, JsonFormatter, TextFormatter
from common.settings import ROOT, Settings
from graph.server.ports import free_ports

HOSTILE = "a\r\n2026-01-01 00:00:00,000 INFO forged: \u2028 line \x1b[2J \x85 \x00 end"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GunicornService]:
    folder = tmp_path_factory.mktemp("logs")
    bolt, port = free_ports(2)
    settings = Settings(
        neo4j_uri=f"bolt://127.0.0.1:{bolt}", neo4j_password="pass-word", data=folder, port=port, log_format="json"
    )
    with serving(settings, folder) as running:
        yield running


def send(service: GunicornService, path: str, *headers: tuple[str, bytes], method: str = "GET") -> str | None:
    """The request id of the answer to a request with just these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", service.settings.port, timeout=10)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers.get("X-Request-ID")


def test_a_request_is_one_line(service: GunicornService) -> None:
    answer = service.get("/v1/users/4711/recommendations?genre=Secretly", headers={"X-Request-ID": "one-line"})
    assert answer.headers["X-Request-ID"] == "one-line"
    [line] = [one for one in service.lines() if one["logger"] == "service.requests" and one["requestId"] == "one-line"]
    told = {name: line[name] for name in ("level", "method", "route", "status", "bytes")}
    assert told == {
        "level": "INFO",
        "method": "GET",
        "route": "/v1/users/{userId}/recommendations",
        "status": 503,
        "bytes": len(answer.content),
    }
    assert 0 < line["milliseconds"] < 10_000
    assert line["process"] in service.workers()
    assert "4711" not in json.dumps(line)
    assert "Secretly" not in service.output.read_text()


def test_every_line_of_a_request_bears_its_id_and_so_does_a_problem(service: GunicornService) -> None:
    answer = service.get("/v1/movies/1", headers={"X-Request-ID": "with-warning"})
    assert (answer.status_code, answer.json()["requestId"]) == (503, "with-warning")
    loggers = {line["logger"] for line in service.lines() if line.get("requestId") == "with-warning"}
    assert loggers == {"service.requests", "service.http.problems"}


def test_gunicorns_own_lines_are_of_the_same_kind_and_of_no_request(service: GunicornService) -> None:
    own = [line for line in service.lines() if line["logger"] == "gunicorn.error"]
    assert any("Listening at" in line["message"] for line in own)
    assert all(line.keys() == {"time", "level", "logger", "message", "process"} for line in own)


@pytest.mark.parametrize("given", [b"a b", b"x" * 129, b"\xc3\xa9", b"", b"a\tb"])
def test_an_id_that_is_not_sane_is_replaced(service: GunicornService, given: bytes) -> None:
    got = send(service, "/health/live", ("X-Request-ID", given))
    assert re.fullmatch("[0-9a-f]{32}", got or "")


def test_ids_are_made_for_each_request(service: GunicornService) -> None:
    assert len({send(service, "/health/live") for _ in range(20)}) == 20


def test_secrets_and_forged_lines_do_not_get_into_the_log(service: GunicornService) -> None:
    path = "/v1/users/1/recommendations%0d%0a%7b%22forged%22%3a1%7d?key=hidden-key&genre=%0aforged"
    send(service, path, ("Authorization", b"Bearer hidden-key"), ("X-Request-ID", b"forge"))
    send(service, "/v1/nothing%0aforged", method="FORGED")
    # What is no HTTP, gunicorn answers by itself, and tells what it was.
    for broken in (b"GET / forged\x1b[2J\r\n\r\n", b"GET / HTTP/1.1\r\nforged\n: hidden-key\r\n\r\n"):
        connection = http.client.HTTPConnection("127.0.0.1", service.settings.port, timeout=10)
        connection.connect()
        connection.sock.sendall(broken)
        assert b"400" in connection.sock.recv(100)
        connection.close()
    wait_until(lambda: any(line.get("requestId") == "forge" for line in service.lines()))
    text = service.output.read_text()
    assert "hidden-key" not in text
    assert "pass-word" not in text
    assert "\x1b" not in text
    assert all("forged" not in line for line in service.lines())  # a key of the object
    assert all(line["method"] in {"GET", "OTHER"} for line in service.lines() if "method" in line)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
@pytest.mark.parametrize("stack", [None, f"Stack:\n{HOSTILE}"], ids=["", "stack"])
def test_a_record_is_one_line_whatever_went_wrong(formatter: logging.Formatter, stack: str | None) -> None:
    record = logging.LogRecord("some", logging.INFO, "file", 1, "%s", (HOSTILE,), None)
    line = formatter.format(record)
    assert line.splitlines() == [line]
    assert line.isprintable()
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        record.exc_info = sys.exc_info()
    record.stack_info = stack
    line = formatter.format(record)
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert "in test_a_record_is_one_line_whatever_went_wrong" in line
    assert line.count("forged") == (3 if stack else 2)


def test_what_python_prints_by_itself_is_one_line_each() -> None:
    program = (
        "import threading, warnings; from common.logs import start_logging; from common.settings import Settings;"
        "start_logging(Settings()); warnings.warn('one\\ntwo');"
        "thread = threading.Thread(target=lambda: 1 / 0, name='some'); thread.start(); thread.join(); {}['a\\nb']"
    )
    command = [sys.executable, "-W", "always", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    told = done.stderr.splitlines()
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
    assert [bool(re.match(moment, line)) for line in told] == [True] * 3
    warned, in_thread, at_end = told
    assert " WARNING py.warnings: " in warned
    assert re.search(r"the thread some \| Traceback .* \| ZeroDivisionError: ", in_thread)
    assert re.search(r"the thread MainThread \| Traceback .* \| KeyError: ", at_end)


def test_text_ends_with_the_request() -> None:
    record = logging.LogRecord("some", logging.INFO, "file", 1, "told", (), None)
    token = REQUEST_ID.set("an-id")
    assert TextFormatter().format(record).endswith("INFO some: told [an-id]")
    REQUEST_ID.reset(token)
    assert TextFormatter().format(record).endswith("INFO some: told")
