"""Whom a text is about: a dead letter, or a record of the event log."""

import json
import re
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from stream.events import Event, EventType

# What follows from a user, a movie and a moment, as ids of viewings do.
MADE_ID = re.compile(r"(?:feed|api):(\d+):.*")
NUMBER = re.compile(r"\d{1,20}")


def tells_of(body: str, user_ids: set[int]) -> bool:
    """Whether a text is about one of some users: an event or a list, or one of the feed's rows, whatever else is wrong.

    What is not as we know it, since its end is cut off for instance, is so if a user's number stands in it.
    """
    names = {str(user_id) for user_id in user_ids}
    try:
        return not names.isdisjoint(str(user).removesuffix(".0") for user in _users_of(json.loads(body)))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return not names.isdisjoint(re.findall(r"\d+", body))


def is_record_of(body: str, user_ids: set[int], before: datetime) -> bool:
    """Whether a record of the log is an event of one of some users, from up to a moment, or takes such a one back.

    That a user was erased is none of them: it must be found again.
    """
    if user_ids.isdisjoint(map(int, NUMBER.findall(body))):  # most records, and the most time
        return False
    try:
        event = Event.model_validate_json(body)
    except ValidationError:
        return tells_of(body, user_ids)
    if event.type is EventType.ERASED or event.at > before:
        return False
    made = MADE_ID.fullmatch(event.undoes or "")
    return event.user_id in user_ids or (made is not None and int(made[1]) in user_ids)


def _users_of(told: Any) -> list[Any]:
    told = json.loads(told) if isinstance(told, str) else told
    if "columns" in told:
        place = told["columns"].index("customerID")
        return [row[place] for row in told["data"]]
    return [told.get("data", told)["userId"]]
