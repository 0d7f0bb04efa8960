"""The part of `make run` that keeps Neo4j at work, also past a full disk."""

import logging
import time
from collections.abc import Callable

from common.disk import free_bytes
from common.errors import RecommenderError
from common.settings import Settings
from graph.server.home import MEGABYTE
from graph.server.process import LEAST_ROOM, EmbeddedServer

logger = logging.getLogger("make run")

LOOK_SECONDS = 1.0
# A server that answers is asked so seldom whether it must be started again.
ASKED_SECONDS = 5.0
# Of starts that follow each other, each waits twice as long as the one before.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Neo4jKeeper:
    """Starts Neo4j again if it has ended, or writes no more since its disk was full; both once there is room."""

    def __init__(self, server: EmbeddedServer, settings: Settings, is_stopping: Callable[[], bool]) -> None:
        self._server = server
        self._settings = settings
        self._is_stopping = is_stopping
        self._asked = time.monotonic()
        self._tried = float("-inf")
        self._pause = 0.0
        self._waits_for_room = False

    def look(self) -> float:
        """Do what is to be done now, if anything; returns the seconds until the next look."""
        wrong = self._find_wrong()
        if wrong and not self._is_stopping() and self._has_room(wrong) and self._may_try():
            self._start_again(wrong)
        return LOOK_SECONDS

    def _may_try(self) -> bool:
        return time.monotonic() - self._tried >= self._pause

    def _find_wrong(self) -> str | None:
        """Why Neo4j must be started again."""
        running = self._server.running()
        if running is None:
            return "Neo4j has ended"
        if time.monotonic() - self._asked < ASKED_SECONDS:
            return None
        fault = self._server.find_fault(running)
        if fault is None:  # else it is asked again at once, until there is room
            self._asked = time.monotonic()
        return f"Neo4j {fault}" if fault else None

    def _has_room(self, wrong: str) -> bool:
        """Whether the disk has room for a start; says once that it has not."""
        free = free_bytes(self._server.home.path)
        if free < LEAST_ROOM and not self._waits_for_room:
            room = f"{free // MEGABYTE} MB are free in {self._server.home.path}, {LEAST_ROOM // MEGABYTE} needed"
            logger.warning("%s; it is started again once there is room (%s)", wrong, room)
        self._waits_for_room = free < LEAST_ROOM
        return not self._waits_for_room

    def _start_again(self, wrong: str) -> None:
        """What hinders it, such as a port that somebody's connection has just taken, may be gone a second later."""
        logger.warning("%s; starting it again", wrong)
        try:
            if self._server.running() is None:
                self._server.up(self._settings.neo4j_bolt_port, self._settings.neo4j_http_port)
            else:
                self._server.restart()
        except (RecommenderError, OSError) as error:
            logger.warning("Neo4j cannot be started yet: %s", error)
        is_first = time.monotonic() - self._tried > 2 * LONGEST_PAUSE
        self._pause = FIRST_PAUSE if is_first else min(2 * self._pause, LONGEST_PAUSE)
        self._tried = time.monotonic()
