"""Apps that a test asks in its own process."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask_openapi3 import OpenAPI

from common.settings import Settings
from service.app import create_app
from service.components import components_of


@contextmanager
def open_app(settings: Settings) -> Iterator[OpenAPI]:
    """An app with these settings, closed at the end of the block."""
    app = create_app(settings)
    try:
        yield app
    finally:
        components_of(app).close()
