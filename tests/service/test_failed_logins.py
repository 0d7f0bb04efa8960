"""Wrong keys, with real processes: logged, counted, and slowed down by the client's address. No Neo4j is needed."""

import json
from collections.abc import Iterator
from itertools import count

import pytest
import requests
from gunicorn_service import GunicornService, serving

from common.settings import Settings
from graph.server.ports import free_ports
from service.access.failed_logins import PER_MINUTE, network_of
from service.access.keys import add_key
from service.access.logins import COOKIE

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
PATH = "/openapi.json"
WRONG = "mrk_a-key-that-there-is-not"
NUMBERS = count(1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of a service that believes a proxy on this machine, which is here the test itself."""
    data = tmp_path_factory.mktemp("failed-logins") / "data"
    [port] = free_ports(1)
    return Settings(
        data=data, port=port, neo4j_uri="bolt://127.0.0.1:9", log_format="json", trusted_proxies="127.0.0.0/8"
    )


@pytest.fixture(scope="module")
def key(settings: Settings) -> str:
    return add_key(settings.keys_path, "reader", "read", 100_000)


@pytest.fixture(scope="module")
def service(settings: Settings, key: str) -> Iterator[GunicornService]:
    with serving(settings, settings.data) as service:
        yield service
        assert WRONG not in service.output.read_text()
        assert key not in service.output.read_text()


@pytest.fixture
def address() -> str:
    """A client of a test's own."""
    return f"192.0.2.{next(NUMBERS)}"


def ask(service: GunicornService, address: str, key: str, header: str = "X-API-Key") -> requests.Response:
    value = f"Bearer {key}" if header == "Authorization" else key
    return service.get(PATH, headers={"X-Forwarded-For": address, header: value})


def log_in(service: GunicornService, address: str, key: str) -> requests.Response:
    headers = {**OWN_PAGE, "X-Forwarded-For": address}
    return requests.post(f"{service.url}/login", {"key": key}, headers=headers, timeout=10, allow_redirects=False)


def warnings(service: GunicornService, address: str) -> list[dict[str, object]]:
    return [line for line in service.lines() if line.get("client") == address]


def counted(service: GunicornService, key: str, way: str, outcome: str) -> float:
    answer = service.get("/metrics", headers={"X-API-Key": key})
    [value] = [
        float(line.rpartition(" ")[2])
        for line in answer.text.splitlines()
        if line.startswith("recommender_failed_logins_total{") and f'"{way}"' in line and f'"{outcome}"' in line
    ] or [0.0]
    return value


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_wrong_key_is_a_line_in_the_log_and_too_many_have_to_wait(
    service: GunicornService, address: str, key: str, header: str
) -> None:
    before = {outcome: counted(service, key, "api", outcome) for outcome in ("wrong", "refused")}
    answers = [ask(service, address, WRONG, header) for _ in range(PER_MINUTE + 5)]
    assert [answer.status_code for answer in answers] == [401] * PER_MINUTE + [429] * 5
    refused = answers[-1]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert (refused.headers["Content-Type"], refused.json()["status"]) == ("application/problem+json", 429)
    lines = warnings(service, address)
    assert [line["level"] for line in lines] == ["WARNING"] * PER_MINUTE
    assert all(address in str(line["message"]) for line in lines)
    assert counted(service, key, "api", "wrong") == before["wrong"] + PER_MINUTE
    assert counted(service, key, "api", "refused") == before["refused"] + 5


def test_failed_logins_are_the_same_and_then_no_key_is_looked_at(
    service: GunicornService, address: str, key: str
) -> None:
    before = counted(service, key, "page", "wrong")
    for _ in range(PER_MINUTE):
        assert log_in(service, address, WRONG).status_code == 401
    for tried in (WRONG, key):
        answer = log_in(service, address, tried)
        assert (answer.status_code, COOKIE in answer.cookies) == (429, False)
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert "Too many wrong keys" in answer.text
    assert len(warnings(service, address)) == PER_MINUTE
    assert counted(service, key, "page", "wrong") == before + PER_MINUTE
    assert ask(service, address, WRONG).status_code == 429  # one limit for both ways
    assert ask(service, address, key).status_code == 200  # behind one address there may be many


def test_others_and_who_has_logged_in_are_not_slowed_down(service: GunicornService, address: str, key: str) -> None:
    cookies = {COOKIE: log_in(service, address, key).cookies[COOKIE]}
    for _ in range(PER_MINUTE + 1):
        ask(service, address, WRONG)
    assert service.get(PATH, cookies=cookies, headers={"X-Forwarded-For": address}).status_code == 200
    another = f"198.51.100.{next(NUMBERS)}"
    assert ask(service, another, WRONG).status_code == 401
    assert log_in(service, another, key).status_code == 303


def test_an_address_that_a_client_makes_up_is_no_way_out(service: GunicornService, address: str) -> None:
    made_up = (f"203.0.113.{number}, {address}" for number in range(PER_MINUTE + 1))
    assert [ask(service, hops, WRONG).status_code for hops in made_up] == [401] * PER_MINUTE + [429]


def test_right_keys_do_not_count(service: GunicornService, address: str, key: str) -> None:
    for _ in range(PER_MINUTE + 5):
        assert log_in(service, address, key).status_code == 303
        assert ask(service, address, key).status_code == 200


def test_requests_without_a_key_are_no_failed_logins(service: GunicornService, address: str) -> None:
    for _ in range(PER_MINUTE + 5):
        assert service.get(PATH, headers={"X-Forwarded-For": address}).status_code == 401
        assert service.get(PATH, headers={"X-Forwarded-For": address}, cookies={COOKIE: "old"}).status_code == 401
    assert warnings(service, address) == []


def test_who_has_one_address_of_ipv6_has_its_network() -> None:
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("192.0.2.1") != network_of("192.0.2.2")


def test_the_line_is_json_of_one_line(service: GunicornService, address: str) -> None:
    ask(service, address, 'x\\n"}')
    [line] = warnings(service, address)
    assert json.dumps(line).count("\\n") == 0
