"""Which part is ready and why not, and the figures of graph and log: told in time, also while a part hangs."""

import logging
import struct
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask, current_app

from common.errors import RecommenderError
from common.times import utc_now
from graph.repositories.feedback import measure_feedback
from graph.repositories.models import Model
from graph.schema import SchemaError, require_known_schema, require_migrated_schema
from service.capacity.single_flight import Answer, NoAnswerError, SingleFlight, result_of
from service.components import Components, components
from service.health.disks import disk_state, disks_of, measure
from service.health.metrics import find_failing_loops
from service.http.problems import find_answer
from service.schemas import PartState
from stream.event_log.base import EventLogError
from stream.webhook import WEBHOOK

logger = logging.getLogger(__name__)

KEY = "readiness"
# What takes longer to find out may be so old.
KEPT_SECONDS = 10.0
FEEDBACK_WINDOW = timedelta(days=1)


@dataclass(frozen=True)
class Measurements:
    """What was found out; None is what is not known now."""

    parts: dict[str, PartState]
    model: Model | None
    backlog: int | None
    dead_letters: int | None
    hit_rate: float | None
    free: dict[str, int] | None  # bytes by folder
    webhook_lag: float | None


class Readiness:
    """Asks the parts, all at once."""

    def __init__(self, access: Components) -> None:
        self._access = access
        self._model = SingleFlight(self._ask_model)
        self._traversal = SingleFlight(self._try_traversal)
        self._log = SingleFlight(lambda: access.log.check())
        self._letters = SingleFlight(lambda: access.log.count_letters(), KEPT_SECONDS)
        self._hit_rate = SingleFlight(self._ask_hit_rate, KEPT_SECONDS)
        self._disks = disks_of(access.settings)
        self._free = SingleFlight(lambda: measure(self._disks))
        self._webhook_lag = SingleFlight(self._ask_webhook_lag)

    def check_parts(self) -> dict[str, PartState]:
        """The state of each part."""
        answers = self._ask_parts()
        wait(answers, self._access.budget.readiness)
        return self._parts(*answers)

    def measure(self) -> Measurements:
        """The state of each part, and all figures."""
        answers, letters, hit_rate = self._ask_parts(), self._letters.ask(), self._hit_rate.ask()
        webhook_lag = self._webhook_lag.ask()
        wait((*answers, letters, hit_rate, webhook_lag), self._access.budget.readiness)
        model, _, _, backlog, free = answers
        return Measurements(
            self._parts(*answers),
            _known(model),
            _known(backlog),
            _known(letters),
            _known(hit_rate),
            _known(free),
            _known(webhook_lag),
        )

    def _ask_parts(self) -> tuple[Future[Model | None], Future[Any], Future[str], Future[int], Future[dict[str, int]]]:
        return self._model.ask(), self._traversal.ask(), self._log.ask(), self._access.backlog.ask(), self._free.ask()

    def _parts(
        self,
        model: Future[Model | None],
        traversal: Future[bool],
        log: Future[str],
        backlog: Future[int],
        free: Future[dict[str, int]],
    ) -> dict[str, PartState]:
        return {
            "neo4j": _neo4j_state(model),
            "model": _model_state(model, traversal),
            "eventLog": _log_state(log),
            "worker": self._worker_state(backlog),
            "background": _background_state(self._access.loops.failing()),
            "disk": self._disk_state(free),
        }

    def _ask_model(self) -> Model | None:
        require_known_schema(self._access.database)
        model = self._access.models.get_current_model()
        if model is None:
            require_migrated_schema(self._access.database)
        return model

    def _try_traversal(self) -> bool:
        """Whether there is a movie that the model leads on from, and a list was made from there."""
        source = self._access.models.find_source()
        if source is None:
            return False
        self._access.recommendations.recommend_for_session((source,), limit=1)
        return True

    def _ask_hit_rate(self) -> float | None:
        return measure_feedback(self._access.database, utc_now() - FEEDBACK_WINDOW).hit_rate

    def _disk_state(self, free: Future[dict[str, int]]) -> PartState:
        try:
            measured = result_of(free)
        except (NoAnswerError, OSError):
            return PartState(ready=False, detail="a disk does not say in time how much room it has")
        return disk_state(self._disks, measured)

    def _ask_webhook_lag(self) -> float:
        """Seconds; 0 also without a webhook."""
        first = self._access.ingest.find_first_undelivered(WEBHOOK) if self._access.settings.webhook_url else None
        return max(0.0, (utc_now() - first).total_seconds()) if first else 0.0

    def _worker_state(self, backlog: Future[int]) -> PartState:
        try:
            events = result_of(backlog)
        except EventLogError as error:
            return _failed(error)
        except NoAnswerError:
            return PartState(ready=True, detail="not known: the event log or Neo4j gives no answer in time")
        except RecommenderError:
            return PartState(ready=True, detail="how far the graph is behind is not known while Neo4j is away")
        detail = f"the graph is {events} events behind"
        if failing := _known_failing_loops():
            return PartState(ready=False, detail=f"{detail}; keeps failing: {', '.join(failing)}")
        if events < self._access.settings.largest_backlog:
            return PartState(ready=True, detail=detail)
        return PartState(ready=False, detail=f"{detail}, no more are taken: is `python -m stream worker` running?")


def _known_failing_loops() -> list[str]:
    try:
        return find_failing_loops()
    except (OSError, ValueError, struct.error):  # a worker is just starting
        return []


def _background_state(failing: Mapping[str, Exception]) -> PartState:
    """Of the loops of this process."""
    if failing:
        return PartState(ready=False, detail=f"keeps failing: {', '.join(failing)}; the service's log says why")
    return PartState(ready=True, detail="at work")


def _failed(error: RecommenderError, what: str = "") -> PartState:
    """Everybody may ask: what names files and queries is for the log."""
    logger.warning("not ready: %s%s", what, error)
    return PartState(ready=False, detail=what + (find_answer(error).detail or str(error)))


def _neo4j_state(answer: Future[Model | None]) -> PartState:
    try:
        result_of(answer)
    except SchemaError:
        pass  # it answers
    except RecommenderError as error:
        return _failed(error)
    return PartState(ready=True, detail="answers")


def _log_state(answer: Future[str]) -> PartState:
    try:
        return PartState(ready=True, detail=result_of(answer))
    except RecommenderError as error:
        return _failed(error)


def _model_state(answer: Future[Model | None], traversal: Future[bool]) -> PartState:
    """Of the model in use, if a real traversal goes through."""
    try:
        model = result_of(answer)
    except SchemaError as error:
        return _failed(error)
    except RecommenderError:
        return PartState(ready=False, detail="not known while Neo4j is not ready")
    if model is None:
        return PartState(ready=False, detail="no model: run `python -m loader bulk PATH`")
    try:
        led_on = result_of(traversal)
    except RecommenderError as error:
        return _failed(error, "a traversal failed: ")
    if model.edges and not led_on:
        return PartState(ready=False, detail=f"the edges of model {model.version} are gone: run `python -m engine fit`")
    return PartState(ready=True, detail=f"model {model.version}, {model.edges} edges")


def _known(answer: Future[Answer]) -> Answer | None:
    try:
        return result_of(answer)
    except (RecommenderError, OSError):
        return None


def install(app: Flask) -> None:
    """Give an app, which has its access already, its readiness."""
    with app.app_context():
        app.extensions[KEY] = Readiness(components())


def readiness() -> Readiness:
    """The current app's readiness."""
    found = current_app.extensions[KEY]
    if not isinstance(found, Readiness):
        raise TypeError(f"app.extensions[{KEY!r}] is no Readiness")
    return found
