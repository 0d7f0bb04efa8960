"""From finished movies to stored recommendations; the services push what is stored."""

import logging

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
        linked = self._models.link_new_movies({finish.movie_id for finish in waiting})
        for movie_id, neighbours in linked.items():
            logger.info("new movie %d has %d neighbours from what its viewers liked", movie_id, neighbours)
        for finish in waiting:
            recommended = self._recommendations.recommend_for_user(finish.user_id, LIST_LENGTH)
            self._ingest.store_recommendations(finish.event_id, recommended)
            titles = ", ".join(movie.title or str(movie.movie_id) for movie in recommended.recommendations[:3])
            logger.info("user %d finished movie %d: %s …", finish.user_id, finish.movie_id, titles)
        if finishes:
            self._recommended = max(finish.sequence for finish in finishes)
            self._ingest.move_recommended(self._recommended)
        return len(waiting)
