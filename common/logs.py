"""Logging: lines of text for people, or JSON objects; always one line each, whatever a client sent."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from common.disk import is_full
from common.settings import Settings

# The request that is being answered here; empty outside of one.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

# Signs that some reader of a log takes for the end of a line, or for a command to a terminal.
CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
INDENT = "  | "


class TextFormatter(logging.Formatter):
    """Lines for people; those of a traceback are indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line, with the id of the request in the end."""
        request_id = REQUEST_ID.get()
        return super().formatMessage(record).translate(CONTROLS) + (f" [{request_id}]" if request_id else "")

    def formatException(self, ei: object) -> str:  # noqa: N802
        """The traceback. The text of an error, too, may hold what a client sent."""
        text = super().formatException(ei)  # type: ignore[arg-type]
        return "\n".join(INDENT + line.translate(CONTROLS) for line in text.split("\n"))


class JsonFormatter(logging.Formatter):
    """One JSON object a line. What a line has to say beside its message comes as `extra={"fields": {…}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; JSON itself escapes what would end it."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if request_id := REQUEST_ID.get():
            line["requestId"] = request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({**line, **getattr(record, "fields", {})}, default=str)


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr. A line for which the disk has no room is dropped; no other line is to complain about it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Called while the exception is handled."""
        error = sys.exc_info()[1]
        if not (isinstance(error, OSError) and is_full(error)):
            super().handleError(record)


def make_formatter(log_format: str) -> logging.Formatter:
    """The formatter that RECOMMENDER_LOG_FORMAT names."""
    return JsonFormatter() if log_format == "json" else TextFormatter()


def start_logging(settings: Settings) -> None:
    """Log to stderr, results go to stdout."""
    handler = LogHandler(sys.stderr)
    handler.setFormatter(make_formatter(settings.log_format))
    logging.basicConfig(handlers=[handler], level=settings.log_level)
    for library in ("neo4j", "urllib3", "werkzeug"):
        logging.getLogger(library).setLevel(logging.ERROR)
