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
from service.schemas.movies import GenreList, Movie, MovieBody, MovieList, RatingCounts, ScoredMovie
from service.schemas.operations import Feedback, Liveness, Models, PartState, RankFeedback, Reach, Readiness
from service.schemas.parameters import (
    EventPath,
    ExplanationQuery,
    FeedbackQuery,
    FilterQuery,
    MoviePath,
    PageQuery,
    PredictionsQuery,
    SearchQuery,
    StreamQuery,
    UserMoviePath,
    UserPath,
)
from service.schemas.predictions import Prediction, Predictions, RatedReason
from service.schemas.recommendations import (
    BatchBody,
    Explanation,
    OfferedMovie,
    PushedRecommendations,
    Reason,
    RecommendationLists,
    Recommendations,
    RecommendedMovie,
    SessionBody,
)
