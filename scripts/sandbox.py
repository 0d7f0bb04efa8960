"""Ports and environments of one's own, so that tests and benchmarks never meet a running system."""

import os
from pathlib import Path

from graph.server.ports import free_ports
from graph.settings import Settings


def sandbox_settings(folder: Path) -> Settings:
    """Settings with everything below one folder and on free ports."""
    bolt, http, port = free_ports(3)
    return Settings(
        neo4j_home=folder / "neo4j",
        neo4j_bolt_port=bolt,
        neo4j_http_port=http,
        data=folder / "data",
        port=port,
        deadline=10,
        open=True,
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that gives a command these settings, and none of ours."""
    named = {name: str(value) for name, value in settings.model_dump(by_alias=True, exclude_unset=True).items()}
    others = {name: value for name, value in os.environ.items() if not name.startswith(("NEO4J_", "RECOMMENDER_"))}
    return {**others, **named}
