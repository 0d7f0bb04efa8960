"""From finished movies to stored recommendations; the services push what is stored."""

import logging

from graph.errors import RecommenderError
from graph.repositories.ingest import RECOMMENDATIONS, Ingest
from graph.repositories.models import Models
from graph.repositories.recommendations import Recommendations

logger = logging.getLogger(__name__)

LIST_LENGTH = 10


class Recommender:
    """Answers each finish in the graph with a fresh list; a restart carries on where the last one stopped."""

    def __init__(self, ingest: Ingest, models: Models, recommendations: Recommendations) -> None:
        self._ingest = ingest
        self._models = models
        self._recommendations = recommendations
        self._recommended = ingest.read_offset(RECOMMENDATIONS).sequence

    def recommend_pending(self) -> int:
        """One list for the latest finish of each user since the last call; returns how many were made."""
        if self._ingest.get_sequence() <= self._recommended:
            return 0
        finishes = self._ingest.read_finishes_since(self._recommended)
        waiting = [finish for finish in finishes if not finish.stored]
        self._link_new_movies({finish.movie_id for finish in finishes})
        for finish in waiting:
            recommended = self._recommendations.recommend_for_user(finish.user_id, LIST_LENGTH)
            self._ingest.store_recommendations(finish.event_id, recommended)
            titles = ", ".join(movie.title or str(movie.movie_id) for movie in recommended.recommendations[:3])
            logger.info("user %d finished movie %d: %s …", finish.user_id, finish.movie_id, titles)
        if finishes:
            self._recommended = max(finish.sequence for finish in finishes)
            self._ingest.move_recommended(self._recommended)
        return len(waiting)

    def _link_new_movies(self, movie_ids: set[int]) -> None:
        """Whatever becomes of it, the lists are made."""
        for movie_id in sorted(movie_ids):
            try:
                if neighbours := self._models.link_new_movie(movie_id):
                    logger.info("new movie %d has %d neighbours from what its viewers liked", movie_id, neighbours)
            except RecommenderError as error:
                logger.warning("movie %d gets no neighbours now: %s", movie_id, error)
