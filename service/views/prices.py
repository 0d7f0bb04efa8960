"""What requests cost by what they ask for, in units of about one plain list (docs/benchmarks.md)."""

from graph.repositories.recommendations import LONGEST
from service import schemas
from service.http.policy import Price

SHORT = 100
FAR = 250
MANY_MOVIES = 500
MANY_EVENTS = 50
MANY_PREDICTIONS = 100
DIVERSITY = 2
# Lists are made for so many users of one request's events; for the others the answer says where to get them.
LISTED_USERS = 20

LIST = (
    f"1, and 1 for `limit` over {SHORT}, 1 for `genre` or years, 1 for each {FAR} of `offset` begun up to {LONGEST:,}, "
    f"1 for each {MANY_MOVIES} movies sent"
)


def _begun(count: int, size: int) -> int:
    """How many parts of a size are begun."""
    return -(-count // size)


def _price_list(asked: schemas.FilterQuery | schemas.FilterBody, limit: int, session: int = 0) -> int:
    keep = asked.movie_filter()
    passed = _begun(min(asked.offset, LONGEST), FAR)
    return 1 + (limit > SHORT) + keep.is_narrow + passed + (session + len(keep.exclude)) // MANY_MOVIES


def _price_user(path: schemas.UserPath, query: schemas.FilterQuery) -> int:
    return _price_list(query, query.limit) + DIVERSITY * (query.diversity > 0) + query.stars


def _price_events(header: schemas.EventsHeader, body: schemas.EventsBody) -> int:
    users = {event.user_id for event in body.root if event.type == "finished"}
    return _begun(len(body.root), MANY_EVENTS) + max(0, min(len(users), LISTED_USERS) - 1)


USER_LIST = Price(
    f"{LIST}, 1 for `stars`, {DIVERSITY} for `diversity`; 1 in all where the answer is kept from before", _price_user
)
SESSION_LIST = Price(LIST, lambda body: _price_list(body, body.limit, len(body.movie_ids)))
USER_LISTS = Price(
    "for each user what the list costs alone", lambda body: len(body.user_ids) * _price_list(body, body.limit)
)
PREDICTIONS = Price(
    f"1 for each {MANY_PREDICTIONS} movies begun", lambda path, query: _begun(len(query.movie_ids()), MANY_PREDICTIONS)
)
EVENTS = Price(
    f"1 for each {MANY_EVENTS} events begun, 1 for each list after the first, of which there are up to {LISTED_USERS}",
    _price_events,
)
REACH = Price("2", lambda query: 2)
ERASURE = Price("10", lambda path: 10)
