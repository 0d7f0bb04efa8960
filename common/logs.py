"""Logging: lines of text for people, or JSON objects; always one line each, whatever a client sent or went wrong."""

import json
import logging
import sys
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from common.disk import is_full
from common.settings import Settings

# The request that is being answered here; empty outside of one.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

# Signs that some reader of a log takes for the end of a line, or for a command to a terminal.
CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
# Between the lines of a traceback, which are one line of the log.
JOINT = " | "

logger = logging.getLogger(__name__)
_plain = logging.Formatter()


class TextFormatter(logging.Formatter):
    """Lines for people, each with the time and the name of what wrote it; one a record, be it with a traceback."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line. The text of an error, too, may hold what a client sent."""
        record.message, record.asctime = record.getMessage(), self.formatTime(record)
        request_id = REQUEST_ID.get()
        first = self.formatMessage(record) + (f" [{request_id}]" if request_id else "")
        return JOINT.join(line.translate(CONTROLS) for line in (first, *describe_failure(record).splitlines()))


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
        if failure := describe_failure(record):
            line["exception"] = failure
        return json.dumps({**line, **getattr(record, "fields", {})}, default=str)


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr. A line for which the disk has no room is dropped; no other line is to complain about it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Called while the exception is handled."""
        error = sys.exc_info()[1]
        if not (isinstance(error, OSError) and is_full(error)):
            super().handleError(record)


def describe_failure(record: logging.LogRecord) -> str:
    """The lines of a record's traceback, or of the stack that it was written from; none of most records."""
    parts = [_plain.formatException(record.exc_info)] if record.exc_info else []
    return "\n".join([*parts, record.stack_info] if record.stack_info else parts)


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
    log_what_python_prints()


def log_what_python_prints() -> None:
    """Make log lines of Python's warnings, and of errors that nothing catches."""
    logging.captureWarnings(True)
    threading.excepthook = lambda ended: _log_uncaught(ended.exc_value, ended.thread)
    sys.excepthook = lambda _, error, __: _log_uncaught(error, threading.current_thread())


def _log_uncaught(error: BaseException | None, thread: threading.Thread | None) -> None:
    name = thread.name if thread else "unknown"
    if isinstance(error, Exception):  # the others are ways to end
        logger.critical("an unexpected error ends the thread %s", name, exc_info=error)
