"""Gunicorn's log lines in the format of all others."""

from typing import Any

from gunicorn import glogging
from gunicorn.config import Config

from common.logs import start_logging
from common.settings import Settings


class Logger(glogging.Logger):  # type: ignore[misc]
    """Hands gunicorn's lines on to our logging, which it starts for the whole process."""

    def setup(self, cfg: Config) -> None:
        """Called at the start and whenever the configuration is read again."""
        super().setup(cfg)
        start_logging(Settings.from_environment())
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
        """What an access log may have of a request, if there is one: not its query, which may hold a token."""
        path = environ["RAW_URI"].partition("?")[0]
        shown = {**environ, "RAW_URI": path, "QUERY_STRING": ""}
        atoms: dict[str, Any] = super().atoms(resp, req, shown, request_time)
        return atoms
