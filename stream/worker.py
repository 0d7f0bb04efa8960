"""The worker: loops that poll the feed into the log, apply the log, recommend, and deliver."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import requests

from common.background import BackgroundLoops
from common.errors import RecommenderError
from common.memory import note_memory
from common.settings import Settings
from graph.database import Database
from graph.repositories.deletions import Deletions
from graph.repositories.erasures import Erasures
from graph.repositories.ingest import Ingest
from graph.repositories.models import Models
from graph.repositories.recommendations import Recommendations
from graph.schema import SchemaError, apply_schema
from stream.erasing import finish_deletions, finish_erasures, forget_erased
from stream.event_log import open_log
from stream.event_log.base import EventLog, NoRoomError
from stream.feed import FeedClient
from stream.metrics import LOOP_FAILING
from stream.poller import Poller
from stream.recommender import Recommender
from stream.retention import retain_hourly
from stream.viewings import FinishRules
from stream.webhook import Webhook, read_secret
from stream.writer import BATCH, Writer, require_catalogue

logger = logging.getLogger(__name__)

# After a small batch the next one may grow, and services that write get the lock.
GROWING_SECONDS = 0.05
# How long what others put on the log, and finishes that others applied, may go unnoticed.
QUIET_SECONDS = 0.1
FAILURE_SECONDS = 1.0
LEAD_SECONDS = 0.5
HEALTH_SECONDS = 1.0
# Of a worker that is told to stop, for what its loops are doing: what is not written stays on the log.
STOP_SECONDS = 3.0
# They wait for others than Neo4j; what they have not done yet is done by the next worker.
FOREIGN = {"poller", "webhook"}
TRIM_SECONDS = 600.0


def run_worker(settings: Settings, stop: threading.Event) -> list[str]:
    """Poll, write, recommend and deliver until `stop` is set; the names of the loops that did not end in time then.

    Of several workers on one log all write, and one does the rest. Raises RecommenderError if it cannot start.
    """
    log = await_log(settings, stop)
    if log is None:
        return []
    if settings.webhook_url:
        read_secret(settings)
    with Database.from_settings(settings) as database, requests.Session() as polling, requests.Session() as posting:
        models = Models(database)
        await_catalogue(models, settings.feed_catalogue, stop)
        await_schema(database, stop)
        ingest = Ingest(database, timedelta(days=settings.hit_window))
        erasures = Erasures(database, settings.erased_file)
        writer = Writer(log, ingest, FinishRules.from_settings(settings), settings.feed_catalogue)
        recommendations = Recommendations(database, settings.history_limit, settings.current)
        news = threading.Event()
        client = FeedClient(settings.feed_url, polling, settings.future)
        poller = Poller(client, log, settings.feed_calls_per_minute, tell=news.set)
        recommend = partial(Recommender, ingest, models, recommendations, settings.deadline)
        recommending = Led(log, lambda: recommend().recommend_pending)
        loops = BackgroundLoops()
        loops.add("leader", Leadership(log, settings.feed_url).step)
        loops.add("writer", partial(_advance, writer, recommending, news))
        loops.add("poller", Led(log, lambda: poller.poll_once, idle=FAILURE_SECONDS))
        loops.add("trimmer", partial(trim_log, log, ingest, settings))
        loops.add("retainer", Led(log, lambda: partial(retain_hourly, log, ingest, settings), idle=TRIM_SECONDS))
        loops.add("eraser", Led(log, lambda: partial(finish_erasures, log, erasures), idle=FAILURE_SECONDS))
        loops.add("forgetter", Led(log, lambda: partial(forget_erased, log, erasures), idle=TRIM_SECONDS))
        deletions = Deletions(database)
        loops.add("remover", Led(log, lambda: partial(finish_deletions, deletions), idle=FAILURE_SECONDS))
        if settings.webhook_url:
            deliver = partial(Webhook, settings, posting, ingest, recommendations, log)
            loops.add("webhook", Led(log, lambda: deliver().deliver_once, idle=FAILURE_SECONDS))
        loops.add("health", partial(report_failing, loops))
        loops.start()
        logger.info("following the event log")
        stop.wait()
        logger.info("stopping")
        left = [name for name in loops.end(STOP_SECONDS) if name not in FOREIGN]
        report_failing(loops, ended=True)
        log.close()
    return left


def report_failing(loops: BackgroundLoops, *, ended: bool = False) -> float:
    """Count which loops keep failing, for /metrics and /health/ready of the service, and this process's memory.

    Returns the seconds until then.
    """
    note_memory("worker")
    failing = {} if ended else loops.failing()
    for name in loops.names:
        LOOP_FAILING.labels(name).set(name in failing)
    return HEALTH_SECONDS


class Leadership:
    """Stays, or becomes, the leading worker in a loop of its own: no other step, however long, keeps it from asking."""

    def __init__(self, log: EventLog, feed_url: str) -> None:
        self._log = log
        self._feed_url = feed_url
        self._leads: bool | None = None

    def step(self) -> float:
        """Ask once; returns the seconds until it must be asked again."""
        before, self._leads = self._leads, self._log.lead()
        if self._leads is not before:
            logger.info("this worker %s", self._describe(before))
        return LEAD_SECONDS

    def _describe(self, before: bool | None) -> str:
        if self._leads:
            return f"leads: it polls {self._feed_url}"
        return "leads no more" if before else "stands by: it applies events, and leads when no other worker does"


class Led:
    """A step that only the leading worker does; begun anew, from what the graph says, whenever it comes to lead."""

    def __init__(self, log: EventLog, begin: Callable[[], Callable[[], float]], idle: float = 0.0) -> None:
        """`idle` is what the step returns while another worker leads."""
        self._log = log
        self._begin = begin
        self._idle = idle
        self._step: Callable[[], float] | None = None

    def __call__(self) -> float:
        """Do the step, if this is the leading worker."""
        if not self._log.leading:
            self._step = None
            return self._idle
        self._step = self._step or self._begin()
        return self._step()


def await_log(settings: Settings, stop: threading.Event) -> EventLog | None:
    """Open the event log, once its disk has room; None if told to stop before. Raises EventLogError otherwise."""
    told = False
    while not stop.is_set():
        try:
            return open_log(settings)
        except NoRoomError as error:
            if not told:
                logger.warning("waiting for room on the disk: %s", error)
                told = True
            stop.wait(FAILURE_SECONDS)
    return None


def await_catalogue(models: Models, expected: str, stop: threading.Event) -> None:
    """Wait until ratings are loaded. Raises CatalogueError if they are of another catalogue than the feed's."""
    told = False
    while not stop.is_set():
        try:
            loaded = models.get_catalogue()
        except RecommenderError as error:
            loaded = None
            logger.warning("%s", error)
        if loaded is not None:
            require_catalogue(loaded, expected)
            return
        if not told:
            logger.info("waiting for ratings to be loaded (`python -m loader bulk PATH`)")
            told = True
        stop.wait(FAILURE_SECONDS)


def await_schema(database: Database, stop: threading.Event) -> None:
    """Bring the database's schema up to date. Raises SchemaError if it is newer than ours."""
    while not stop.is_set():
        try:
            apply_schema(database)
            return
        except SchemaError:
            raise
        except RecommenderError as error:
            logger.warning("%s", error)
            stop.wait(FAILURE_SECONDS)


def trim_log(log: EventLog, ingest: Ingest, settings: Settings) -> float:
    """Remove what is applied and old from the event log; returns the seconds until it is worth doing again."""
    removed = log.trim(ingest.read_offsets(log.name), settings.event_log_days, settings.event_log_megabytes)
    if removed:
        logger.info("%d applied events are removed from the event log", removed)
    return TRIM_SECONDS


def _advance(writer: Writer, recommend: Callable[[], float], news: threading.Event) -> float:
    news.clear()
    applied = writer.apply_pending()
    # While catching up each user gets one list, for the latest finish.
    recommended = recommend() if applied < BATCH else 0
    if applied >= BATCH or recommended:
        return 0.0
    if applied:
        return GROWING_SECONDS
    news.wait(QUIET_SECONDS)
    return 0.0
