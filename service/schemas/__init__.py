"""Requests and responses of the REST API; the OpenAPI document is made from these."""

from service.schemas.base import FieldProblem, Problem
from service.schemas.events import (
    ErasedUser,
    EventBody,
    EventResult,
    EventResults,
    EventsBody,
    RemovedEdges,
    UndoneEvent,
)
from service.schemas.history import History, HistoryEntry, Watch
from service.schemas.movies import Movie, MovieBody, MovieList, ScoredMovie
from service.schemas.operations import Feedback, Liveness, PartState, RankFeedback, Readiness
from service.schemas.parameters import (
    EventPath,
    FeedbackQuery,
    FilterQuery,
    MoviePath,
    PageQuery,
    SearchQuery,
    StreamQuery,
    UserMoviePath,
    UserPath,
)
from service.schemas.recommendations import (
    BatchBody,
    Explanation,
    PushedRecommendations,
    Reason,
    RecommendationLists,
    Recommendations,
    RecommendedMovie,
    SessionBody,
)

__all__ = [
    "BatchBody",
    "ErasedUser",
    "EventBody",
    "EventPath",
    "EventResult",
    "EventResults",
    "EventsBody",
    "Explanation",
    "Feedback",
    "FeedbackQuery",
    "FieldProblem",
    "FilterQuery",
    "History",
    "HistoryEntry",
    "Liveness",
    "Movie",
    "MovieBody",
    "MovieList",
    "MoviePath",
    "PageQuery",
    "PartState",
    "Problem",
    "PushedRecommendations",
    "RankFeedback",
    "Readiness",
    "Reason",
    "RecommendationLists",
    "Recommendations",
    "RecommendedMovie",
    "RemovedEdges",
    "ScoredMovie",
    "SearchQuery",
    "SessionBody",
    "StreamQuery",
    "UndoneEvent",
    "UserMoviePath",
    "UserPath",
    "Watch",
]
