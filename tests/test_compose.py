"""docker-compose.yml: what our containers run and get is what our commands and settings know."""

import importlib
import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from common.settings import ROOT, Settings
from stream.__main__ import simulator
from stream.simulator import PATH

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "movie-recommender"}


def filled_in(environment: dict[str, str]) -> dict[str, str]:
    """Variables with compose's placeholders replaced by their defaults, required ones by a value."""
    replaced = {name: re.sub(r"\$\{\w+:\?[^}]*\}", "password", value) for name, value in environment.items()}
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in replaced.items()}


def test_the_parts_are_there() -> None:
    assert set(SERVICES) == {"load", "neo4j", "service", "proxy", "worker", "simulator"}
    assert set(OURS) == set(SERVICES) - {"neo4j", "proxy"}
    assert [name for name in SERVICES if SERVICES[name].get("profiles")] == ["simulator"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_get_settings_that_we_know(name: str) -> None:
    settings = Settings.from_environment(filled_in(OURS[name]["environment"]))
    assert settings.neo4j_password is not None


@pytest.mark.parametrize("name", ["load", "worker", "simulator"])
def test_our_containers_run_commands_that_we_have(name: str) -> None:
    python, dash_m, package, command, *arguments = OURS[name]["command"].split()
    assert (python, dash_m) == ("python", "-m")
    group = importlib.import_module(f"{package}.__main__").main
    context = click.Context(group.commands[command])
    group.commands[command].parse_args(context, arguments)


def test_the_worker_follows_the_simulator_unless_told_otherwise() -> None:
    [port] = [option.default for option in simulator.params if option.name == "port"]
    assert filled_in(OURS["worker"]["environment"])["RECOMMENDER_FEED_URL"] == f"http://simulator:{port}{PATH}"


def test_the_service_runs_as_in_make_run() -> None:
    assert OURS["service"]["command"] == "python -m gunicorn --config python:service.gunicorn_config"


def test_nothing_is_published_beyond_this_machine_unless_told_to() -> None:
    published = {port: name for name, service in SERVICES.items() for port in service.get("ports", [])}
    assert set(published.values()) == {"neo4j", "proxy"}
    ports = filled_in({port: port for port in published})
    assert all(port.startswith("127.0.0.1:") for port in ports.values())


def test_the_proxy_gets_all_that_its_configuration_needs() -> None:
    proxy = SERVICES["proxy"]
    source, target, _ = proxy["volumes"][0].split(":")
    assert target == f"/etc/nginx/templates/{Path(source).name}"
    needed = set(re.findall(r"\$\{(\w+)\}", (ROOT / source).read_text(encoding="utf-8")))
    assert needed == set(proxy["environment"]) - {"NGINX_ENVSUBST_OUTPUT_DIR"}
    [listening] = {port.rpartition(":")[2] for port in proxy["ports"]}
    assert filled_in(proxy["environment"])["LISTEN"] == listening
    assert proxy["environment"]["SERVICE"] == f"service:{Settings().port}"


def test_nobody_opens_the_service_by_accident() -> None:
    assert not any("RECOMMENDER_OPEN" in service.get("environment", {}) for service in SERVICES.values())


def test_there_is_no_default_password() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert len(re.findall(r"\$\{NEO4J_PASSWORD:\?set NEO4J_PASSWORD", text)) == 3
    assert len(re.findall(r"\$\{NEO4J_PASSWORD(?!:\?)", text)) == 0


def test_the_image_has_the_jars_where_the_server_looks() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "sha256sum pom.xml | cut -c1-12" in dockerfile
    assert "RECOMMENDER_CACHE=/opt/recommender" in dockerfile
