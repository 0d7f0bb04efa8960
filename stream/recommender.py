"""From finished movies to stored recommendations; the services push what is stored."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor

from common.errors import RecommenderError
from common.times import utc_now
from graph.repositories.ingest import RECOMMENDATIONS, Finish, Ingest
from graph.repositories.models import Models
from graph.repositories.recommendations import LIST_LENGTH, RecommendationList, Recommendations
from stream.events import API
from stream.metrics import FINISH_TO_LIST_SECONDS

logger = logging.getLogger(__name__)

# Traversals at a time, and lists that are stored in one transaction: followers get them all at once.
TRAVERSALS = 2
STORED_LISTS = 10


class Recommender:
    """Answers each finish in the graph with a fresh list; a restart carries on where the last one stopped."""

    def __init__(self, ingest: Ingest, models: Models, recommendations: Recommendations, grace: float) -> None:
        """`grace`: seconds in which the service itself may store the list of a finish that it received."""
        self._ingest = ingest
        self._grace = grace
        self._told: dict[str, float] = {}
        self._models = models
        self._recommendations = recommendations
        self._recommended = ingest.read_offset(RECOMMENDATIONS).sequence

    def recommend_pending(self) -> int:
        """One list for the latest finish of each user since the last call; returns how many were made."""
        sequence = self._ingest.get_sequence()
        if sequence <= self._recommended:
            return 0
        finishes = self._ingest.read_finishes_since(self._recommended, sequence)
        if not finishes:  # not worth a write: who starts again finds none, too
            self._recommended = sequence
            return 0
        waiting, awaited = self._part_waiting([finish for finish in finishes if not finish.stored])
        self._link_new_movies({finish.movie_id for finish in finishes})
        with ThreadPoolExecutor(TRAVERSALS) as pool:
            for start in range(0, len(waiting), STORED_LISTS):
                group = waiting[start : start + STORED_LISTS]
                logger.debug("recommending for %d users", len(group))
                found = list(pool.map(self._recommend, group))
                logger.debug("storing %d lists", len(found))
                self._ingest.store_lists(
                    [(finish.event_id, recommended) for finish, recommended in zip(group, found, strict=True)]
                )
                logger.info("%d users who finished a movie have their lists", len(group))
                for finish in group:
                    FINISH_TO_LIST_SECONDS.observe(max(0.0, (utc_now() - finish.at).total_seconds()))
        done = min(finish.sequence for finish in awaited) - 1 if awaited else sequence
        if done > self._recommended:
            self._recommended = done
            self._ingest.move_consumer(RECOMMENDATIONS, done)
        return len(waiting)

    def _part_waiting(self, finishes: list[Finish]) -> tuple[list[Finish], list[Finish]]:
        """Finishes without a list: those that wait for one, and those that a service is making one for just now."""
        now = time.monotonic()
        told = [finish.event_id for finish in finishes if finish.source == API]
        self._told = {event_id: self._told.get(event_id, now) for event_id in told}
        awaited = [f for f in finishes if now - self._told.get(f.event_id, float("-inf")) < self._grace]
        return [finish for finish in finishes if finish not in awaited], awaited

    def _recommend(self, finish: Finish) -> RecommendationList:
        return self._recommendations.recommend_for_user(finish.user_id, LIST_LENGTH)

    def _link_new_movies(self, movie_ids: set[int]) -> None:
        """Whatever becomes of it, the lists are made."""
        try:
            for movie_id in self._models.find_new_movies(movie_ids):
                if neighbours := self._models.link_new_movie(movie_id):
                    logger.info("new movie %d has %d neighbours from what its viewers liked", movie_id, neighbours)
        except RecommenderError as error:
            logger.warning("new movies get no neighbours now: %s", error)
