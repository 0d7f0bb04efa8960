"""Logging out, with real processes: a login that has ended is none for all of them, and none after a restart."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from conftest import frozen
from gunicorn_service import GunicornService, serving

from common.settings import Settings
from graph.server.ports import free_ports
from service.access.keys import KeyRing, add_key, remove_key
from service.access.logins import COOKIE, Logins

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
PATH = "/openapi.json"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", port=free_ports(1)[0], workers=2, neo4j_uri="bolt://127.0.0.1:9")


@pytest.fixture
def key(settings: Settings) -> str:
    return add_key(settings.keys_path, "reader", "read", 100_000)


@pytest.fixture
def service(settings: Settings, key: str, tmp_path: Path) -> Iterator[GunicornService]:
    with serving(settings, tmp_path) as service:
        yield service


def log_in(service: GunicornService, key: str) -> dict[str, str]:
    answer = requests.post(f"{service.url}/login", {"key": key}, headers=OWN_PAGE, timeout=10, allow_redirects=False)
    return {COOKIE: answer.cookies[COOKIE]}


def log_out(service: GunicornService, cookies: dict[str, str]) -> None:
    answer = requests.post(
        f"{service.url}/logout", cookies=cookies, headers=OWN_PAGE, timeout=10, allow_redirects=False
    )
    assert answer.status_code == 303


def statuses(service: GunicornService, cookies: dict[str, str]) -> set[int]:
    """What each process of a service answers to a cookie."""
    found = set()
    for resting in service.workers():
        with frozen(resting):
            found |= {service.get(PATH, cookies=cookies).status_code for _ in range(5)}
    return found


def test_a_copied_cookie_is_worth_nothing_after_the_logout(service: GunicornService, key: str, tmp_path: Path) -> None:
    ended, going_on = log_in(service, key), log_in(service, key)
    assert statuses(service, ended) == statuses(service, going_on) == {200}
    log_out(service, ended)
    assert (statuses(service, ended), statuses(service, going_on)) == ({401}, {200})
    service.process.terminate()
    service.process.wait(20)
    folder = tmp_path / "again"
    folder.mkdir()
    with serving(service.settings, folder) as again:
        assert (statuses(again, ended), statuses(again, going_on)) == ({401}, {200})


def test_a_key_that_is_removed_or_replaced_ends_its_logins(service: GunicornService, key: str) -> None:
    cookies = log_in(service, key)
    assert statuses(service, cookies) == {200}
    add_key(service.settings.keys_path, "other", "read", 1000)
    remove_key(service.settings.keys_path, "reader")
    assert statuses(service, cookies) == {401}
    add_key(service.settings.keys_path, "reader", "read", 1000)
    assert statuses(service, cookies) == {401}


def test_logins_that_begin_and_end_at_one_moment_are_all_kept(settings: Settings, key: str) -> None:
    ring = KeyRing(settings.keys_path)
    found = ring.find(key)
    assert found is not None
    shared = [Logins(settings.data / "logins.json", ring) for _ in range(4)]
    start = threading.Barrier(8)

    def begin_and_end(number: int) -> tuple[str, str]:
        logins = shared[number % 4]
        start.wait()
        ended, kept = logins.begin(found), logins.begin(found)
        logins.end(ended)
        return ended, kept

    with ThreadPoolExecutor(8) as pool:
        pairs = list(pool.map(begin_and_end, range(8)))
    for logins in shared:
        assert [logins.recognise(ended) for ended, _ in pairs] == [None] * 8
        assert [logins.recognise(kept) for _, kept in pairs] == [found] * 8
