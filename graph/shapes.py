"""The form of what repositories return: defined once each, and sent as it is by REST, pushes and the webhook."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from neo4j.time import DateTime
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

Timestamp = Annotated[
    datetime,
    BeforeValidator(lambda moment: moment.to_native() if isinstance(moment, DateTime) else moment),
    PlainSerializer(lambda moment: moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z"), return_type=str),
    Field(description="UTC", json_schema_extra={"format": "date-time"}),
]


def own_id(owner: str | None, event_id: str) -> str:
    """An event's id as it is stored: it belongs to the name of the API key that gave it. A client's has no spaces."""
    return f"{owner} {event_id}" if owner else event_id


def show_id(event_id: str) -> str:
    """A stored id as its client gave it."""
    return event_id.rpartition(" ")[2]


# Stored with its owner, sent as its client gave it.
EventId = Annotated[str, PlainSerializer(show_id, return_type=str)]


class Shape(BaseModel):
    """Named in camelCase by Cypher and JSON, in snake_case by Python."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Of a query's record, by the names of its columns; those that have no field are left out."""
        return cls.model_validate(dict(record.items()))  # dict(record) takes half as long again
