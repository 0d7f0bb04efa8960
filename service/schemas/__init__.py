"""Requests and responses of the REST API; the OpenAPI document is made from these. Repositories return most answers."""

from graph.repositories.feedback import Feedback, Reach
from graph.repositories.movies import Movie
from graph.repositories.recommendations import RecommendationList
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
from service.schemas.movies import DeletedMovie, GenreList, MovieBody, MovieList, RatingCounts, UnknownMovieList
from service.schemas.operations import Liveness, ModelVersions, Overrides, PartState, Readiness, StreamToken
from service.schemas.parameters import (
    EventPath,
    EventsHeader,
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
from service.schemas.recommendations import (
    BatchBody,
    Explanation,
    FilterBody,
    ListResult,
    ListsInTime,
    RecommendationLists,
    SessionBody,
    SessionList,
)
from service.schemas.users import Predictions, UserHistory
