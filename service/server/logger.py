"""Gunicorn's log lines in the format of all others."""

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
