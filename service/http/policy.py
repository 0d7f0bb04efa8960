"""An endpoint's policy, stated where the endpoint is defined: who may ask, for how much, and how it is answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Flask, Request

from service.access.charging import charge_request
from service.access.keys import READ, WRITE, Scope
from service.capacity.executor import BoundedExecutor

View = TypeVar("View", bound=Callable[..., Any])
# From an answer to the operations that it leads to, and where their parameters are in the answer (JSON pointers).
Links = Mapping[str, Mapping[str, str]]

_ATTRIBUTE = "policy"
SAFE_METHODS = {"GET", "HEAD"}


class About(Enum):
    """Whose changes end an answer that is kept."""

    USER = "the user in the path"
    EVERYBODY = "everybody"


@dataclass(frozen=True)
class Price:
    """What a request costs, in units of its key's limit, if that may be more than 1."""

    text: str  # in the OpenAPI document and the README
    units: Callable[..., int]  # by the view's arguments, which are checked


@dataclass(frozen=True)
class Policy:
    """What holds for all requests to one endpoint."""

    scope: Scope | None  # that a key needs; None: everybody may, also without one
    kept: About | None = None  # whether answers are kept, and whose changes end them
    deadline: bool = False  # the view is done by the executor, within the deadline; else it sees to its time itself
    shed: bool = False  # refused where more is asked for than can be answered
    by_token: bool = False  # a stream token opens it, too
    leads_to: Links = field(default_factory=dict)
    price: Price | None = None  # None: 1

    def __call__(self, view: View) -> View:
        """The view, with this policy."""
        charged = view if self.price is None else _charge_first(view, self.price)
        setattr(charged, _ATTRIBUTE, self)
        return charged


def reads(kept: About | None = None, leads_to: Links | None = None, *, price: Price | None = None) -> Policy:
    """A GET that asks the graph."""
    return Policy(READ, kept, deadline=True, shed=True, leads_to=leads_to or {}, price=price)


def asks(leads_to: Links | None = None, *, deadline: bool = True, price: Price | None = None) -> Policy:
    """A POST that only asks: its question is too long for a query string. Its body may be long in coming."""
    return Policy(READ, deadline=deadline, leads_to=leads_to or {}, price=price)


def writes(*, deadline: bool = False, leads_to: Links | None = None, price: Price | None = None) -> Policy:
    """What changes something."""
    return Policy(WRITE, deadline=deadline, leads_to=leads_to or {}, price=price)


# What asks nothing of the graph, or for longer than a deadline: pages, documents, metrics, the stream.
SHOWN = Policy(READ)
# The stream alone: browsers open it without headers of ours.
FOLLOWED = Policy(READ, by_token=True)
# What everybody may see: whether the service lives, and what the login page needs.
OPEN = Policy(None)


def adopt_view(app: Flask, endpoint: str, policy: Policy) -> None:
    """Give a library's view a policy; a method cannot carry one."""
    views: dict[str, Callable[..., Any]] = app.view_functions
    view = views[endpoint]
    views[endpoint] = policy(wraps(view)(lambda **arguments: view(**arguments)))


def policy_of(app: Flask, endpoint: str) -> Policy | None:
    """An endpoint's policy."""
    found = getattr(app.view_functions[endpoint], _ATTRIBUTE, None)
    return found if isinstance(found, Policy) else None


def requested_policy(app: Flask, request: Request) -> Policy:
    """The policy of what a request asks for; where nothing is, that of reading or of writing, by the method."""
    known = policy_of(app, request.endpoint) if request.endpoint else None
    return known or Policy(READ if request.method in SAFE_METHODS else WRITE)


def enforce_deadlines(app: Flask, executor: BoundedExecutor) -> None:
    """Have each view that is to keep the deadline done by an executor. Raises TypeError for a view without a policy."""
    views: dict[str, Callable[..., Any]] = app.view_functions
    for endpoint, view in views.items():
        policy = policy_of(app, endpoint)
        if policy is None:
            raise TypeError(f"{endpoint} has no policy: put one of service.http.policy on its view")
        if policy.deadline:
            views[endpoint] = executor.guarded(view)


def _charge_first(view: View, price: Price) -> View:
    @wraps(view)
    def charged(**arguments: Any) -> Any:
        charge_request(price.units(**arguments))
        return view(**arguments)

    return cast(View, charged)
