"""Ports and environments of one's own, so that tests and benchmarks never meet a running system."""

import os
import socket
from contextlib import ExitStack
from pathlib import Path

from graph.settings import Settings


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, each another."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def sandbox_settings(folder: Path) -> Settings:
    """Settings with everything below one folder and on free ports."""
    bolt, http, port = free_ports(3)
    return Settings(
        neo4j_home=folder / "neo4j", neo4j_bolt_port=bolt, neo4j_http_port=http, data=folder / "data", port=port
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that gives a command these settings, and none of ours."""
    named = {name: str(value) for name, value in settings.model_dump(by_alias=True, exclude_unset=True).items()}
    others = {name: value for name, value in os.environ.items() if not name.startswith(("NEO4J_", "RECOMMENDER_"))}
    return {**others, **named}
