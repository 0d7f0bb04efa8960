"""Databases of the loader tests' own."""

from collections.abc import Iterator

import pytest

from graph.server.home import Home
from graph.server.process import EmbeddedServer
from graph.settings import Settings
from scripts.sandbox import sandbox_settings


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of an embedded Neo4j of this module's own."""
    settings = sandbox_settings(tmp_path_factory.mktemp("own"))
    yield settings
    EmbeddedServer(Home(settings.neo4j_home), settings.cache).down()
