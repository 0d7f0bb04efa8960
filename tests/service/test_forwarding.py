"""Whose word counts for where a request came from. No Neo4j is needed."""

import ipaddress
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from apps import open_app
from flask.testing import FlaskClient
from gunicorn_service import GunicornService, serving

from common.errors import SettingsError
from common.settings import Settings
from graph.server.ports import free_ports
from service.access.keys import add_key
from service.http.forwarding import find_client, parse_address

TRUSTED = "10.0.0.0/8, 192.0.2.7,2001:db8::/32"
PROXY, STRANGER, CLIENT = "10.1.2.3", "198.51.100.1", "203.0.113.9"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
BROWSER = {"Accept": "text/html"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", neo4j_uri="bolt://127.0.0.1:9", trusted_proxies=TRUSTED)


@pytest.fixture
def key(settings: Settings) -> str:
    return add_key(settings.keys_path, "reader", "read", 1000)


@pytest.fixture
def client(settings: Settings, key: str) -> Iterator[FlaskClient]:
    assert key
    with open_app(settings) as app:
        yield app.test_client(use_cookies=False)


def come_from(address: str) -> dict[str, str]:
    return {"REMOTE_ADDR": address}


def seen_client(client: FlaskClient, caplog: pytest.LogCaptureFixture, peer: str, **headers: str) -> str:
    """The address that is logged for a wrong key."""
    caplog.clear()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    client.get("/openapi.json", headers={"X-API-Key": "wrong", **named}, environ_overrides=come_from(peer))
    [found] = re.findall(r"a wrong key from (\S+)", caplog.text)
    return str(found)


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (CLIENT, CLIENT),
        (f"1.2.3.4, {CLIENT}", CLIENT),
        (f"10.9.9.9, {CLIENT}, 192.0.2.7, 2001:db8::5", CLIENT),
        (f"{CLIENT}:4711", CLIENT),
        ("[2001:dead::1]:4711", "2001:dead::1"),
        ("2001:dead::1", "2001:dead::1"),
        (f"::ffff:{CLIENT}", CLIENT),
        ("", PROXY),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
        (f"{CLIENT}, unknown", PROXY),
        (f"{CLIENT}, unknown, 10.0.0.2", "10.0.0.2"),
        ("é\u2028, <script>", PROXY),
        (",,,", PROXY),
    ],
)
def test_the_client_is_the_nearest_hop_that_is_not_trusted(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, header: str, address: str
) -> None:
    header = header.encode().decode("latin-1")
    assert seen_client(client, caplog, PROXY, X_Forwarded_For=header) == address


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (f"for={CLIENT}", CLIENT),
        (f'For="{CLIENT}:80";proto=https, for=10.0.0.4', CLIENT),
        (f'for=1.2.3.4, for="{CLIENT}"', CLIENT),
        ('for="[2001:dead::1]:4711"', "2001:dead::1"),
        ("for=_hidden", PROXY),
        ("proto=https", PROXY),
        ('for="', PROXY),
    ],
)
def test_forwarded_is_read_where_nothing_else_is(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, forwarded: str, address: str
) -> None:
    assert seen_client(client, caplog, PROXY, Forwarded=forwarded) == address
    assert seen_client(client, caplog, PROXY, Forwarded=forwarded, X_Forwarded_For=STRANGER) == STRANGER
    assert seen_client(client, caplog, STRANGER, Forwarded=forwarded) == STRANGER


def test_a_strangers_headers_have_no_effect(client: FlaskClient, key: str, caplog: pytest.LogCaptureFixture) -> None:
    forged = {
        "X-Forwarded-For": CLIENT,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
        "Script-Name": "/evil",
        "Forwarded": f"for={CLIENT};proto=https;host=evil.example",
    }
    for peer in (STRANGER, "127.0.0.1", "11.0.0.1", "192.0.2.8", "2001:db9::1", "::ffff:11.0.0.1"):
        origin = come_from(peer)
        answer = client.get("/docs", headers={**forged, **BROWSER}, environ_overrides=origin)
        assert answer.headers["Location"] == "/login?next=%2Fdocs"
        answer = client.post("/login", data={"key": key}, headers={**forged, **OWN_PAGE}, environ_overrides=origin)
        assert answer.headers["Location"] == "/"
        assert "Secure" not in answer.headers["Set-Cookie"]
        assert "Path=/;" in answer.headers["Set-Cookie"]
        own_by_host = {**forged, "Origin": "https://evil.example"}
        answer = client.post("/login", data={"key": key}, headers=own_by_host, environ_overrides=origin)
        assert answer.status_code == 403
        seen = seen_client(client, caplog, peer, X_Forwarded_For=CLIENT)
        assert ipaddress.ip_address(seen) == parse_address(peer)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "movies.example:8443"},
        {"X-Forwarded-Proto": "http, HTTPS", "X-Forwarded-Host": "evil.example, movies.example:8443"},
        {"Forwarded": 'for=1.2.3.4;host="movies.example:8443";proto=https'},
    ],
)
def test_a_trusted_proxys_scheme_and_host_count(client: FlaskClient, key: str, headers: dict[str, str]) -> None:
    def log_in(origin: str) -> int:
        sent = {**headers, "Origin": origin}
        answer = client.post("/login", data={"key": key}, headers=sent, environ_overrides=come_from("::ffff:10.0.0.1"))
        if answer.status_code == 303:
            assert "Secure" in answer.headers["Set-Cookie"]
        return answer.status_code

    assert log_in("https://movies.example:8443") == 303
    assert log_in("https://evil.example") == log_in("http://localhost") == 403


@pytest.mark.parametrize("proto", ["ftp", "https:", "", "javascript", "http"])
def test_schemes_that_are_none_are_passed_over(client: FlaskClient, key: str, proto: str) -> None:
    headers = {**OWN_PAGE, "X-Forwarded-Proto": proto}
    answer = client.post("/login", data={"key": key}, headers=headers, environ_overrides=come_from(PROXY))
    assert (answer.status_code, "Secure" in answer.headers["Set-Cookie"]) == (303, False)


@pytest.mark.parametrize(
    "prefix",
    [
        "//evil.example",
        "/\\evil",
        "evil",
        "https://evil.example",
        "/..",
        "/a/../b",
        "/a//b",
        "/ä",
        '/"><script>',
        "/a b",
        "/",
    ],
)
def test_prefixes_that_are_none_are_passed_over(client: FlaskClient, prefix: str) -> None:
    headers = {**BROWSER, "X-Forwarded-Prefix": prefix.encode().decode("latin-1")}
    answer = client.get("/docs", headers=headers, environ_overrides=come_from(PROXY))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login?next=%2Fdocs")


def test_without_trusted_proxies_nobody_is_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with open_app(Settings(data=tmp_path / "data", neo4j_uri="bolt://127.0.0.1:9")) as app:
        assert seen_client(app.test_client(), caplog, "127.0.0.1", X_Forwarded_For=CLIENT) == "127.0.0.1"


def test_a_hop_is_believed_only_by_who_is_trusted() -> None:
    networks = Settings(trusted_proxies=TRUSTED).trusted_networks
    peer = ipaddress.ip_address(STRANGER)
    assert find_client(peer, [CLIENT], networks) == peer
    assert find_client(ipaddress.ip_address(PROXY), [CLIENT, STRANGER, "10.0.0.1"], networks) == peer


@pytest.mark.parametrize("value", ["localhost", "10.0.0.1/8", "*", "10.0.0.0/33", "10.0.0.1 10.0.0.2"])
def test_what_is_no_network_is_refused_at_the_start(value: str, tmp_path: Path) -> None:
    environment = {"RECOMMENDER_TRUSTED_PROXIES": value, "RECOMMENDER_DATA": str(tmp_path)}
    with pytest.raises(SettingsError, match="RECOMMENDER_TRUSTED_PROXIES"):
        Settings.from_environment(environment)


@pytest.mark.parametrize("value", ["reco", "/reco/", "//reco", "/..", "/a/../b", "/a b", "/é", "https://evil.example"])
def test_what_is_no_prefix_is_refused_at_the_start(value: str, tmp_path: Path) -> None:
    environment = {"RECOMMENDER_PATH_PREFIX": value, "RECOMMENDER_DATA": str(tmp_path)}
    with pytest.raises(SettingsError, match="RECOMMENDER_PATH_PREFIX"):
        Settings.from_environment(environment)


HEADERS = [
    {"SCRIPT_NAME": "/docs"},
    {"Script-Name": "/docs"},
    {"script_name": "/evil"},
    {"X-Script-Name": "/evil"},
    {"PATH_INFO": "/v1/nothing"},
    {"X_Forwarded_Prefix": "/evil"},
    {"X_Forwarded_For": CLIENT},
    {"REMOTE_ADDR": CLIENT},
    {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"},  # which gunicorn finds contradictory
]


@pytest.fixture(scope="module")
def believing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GunicornService]:
    """Real processes that believe somebody else than this test."""
    data = tmp_path_factory.mktemp("forwarding") / "data"
    [port] = free_ports(1)
    settings = Settings(data=data, port=port, workers=1, neo4j_uri="bolt://127.0.0.1:9", trusted_proxies="192.0.2.1")
    add_key(settings.keys_path, "reader", "read", 1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORWARDED_ALLOW_IPS", "*")  # gunicorn's own, which counts no more
        with serving(settings, data) as service:
            yield service


@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_gunicorn_believes_no_stranger_either(believing: GunicornService, headers: dict[str, str]) -> None:
    answer = believing.get("/docs/swagger", headers={**BROWSER, **headers}, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login?next=%2Fdocs%2Fswagger")
    sent = {**OWN_PAGE, **headers}
    answer = requests.post(f"{believing.url}/logout", headers=sent, timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert "Secure" not in answer.headers["Set-Cookie"]
