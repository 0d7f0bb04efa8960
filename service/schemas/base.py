"""What all requests have in common, and the problem document."""

import json
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from graph.shapes import Shape

Current = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="How much what is current decides, from 0, the history alone, to 1; the model's own number if "
        "absent",
        json_schema_extra={"example": 0.5},
    ),
]
GenreName = Annotated[str, Field(min_length=1, max_length=50, json_schema_extra={"example": "Comedy"})]

UnknownMovies = Annotated[
    list[int], Field(description="Those of the request that there are not, each once; the answer is about the others")
]


class Request(Shape):
    """What a client sends: names that are not known are an error."""

    model_config = ConfigDict(populate_by_name=False, extra="forbid")

    @classmethod
    @cache
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The JSON schema, made once: flask-openapi3 asks for it at every request."""
        return super().model_json_schema(*args, **kwargs)


class Query(Request):
    """A query string, whose numbers and booleans are written as in JSON."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="before")
    @classmethod
    def _read_values(cls, given: dict[str, object]) -> dict[str, object]:
        texts = cls._names_of_texts()
        return {name: value if name in texts else _read_scalar(value) for name, value in given.items()}

    @classmethod
    @cache
    def _names_of_texts(cls) -> set[str]:
        properties = cls.model_json_schema()["properties"]
        return {
            name
            for name, schema in properties.items()
            if any(kind.get("type") == "string" for kind in schema.get("anyOf", [schema]))
        }


class Body(Request):
    """What a client sends as JSON, where a number is no text."""

    model_config = ConfigDict(strict=True)


def read_number(text: str) -> int | float:
    """A number as JSON Schema has it, where 1.0 is an integer."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _read_scalar(value: object) -> object:
    """A number or boolean of its text; a text that is neither stays, and is refused."""
    try:
        found = json.loads(value, parse_float=read_number) if isinstance(value, str) else value
    except ValueError:
        return value
    return found if isinstance(found, int | float) else value


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field("about:blank", description="Kind of problem")
    title: str = Field(description="The status in words", json_schema_extra={"example": "Unprocessable Entity"})
    status: int = Field(json_schema_extra={"example": 422})
    detail: str = Field(
        description="What to do about it",
        json_schema_extra={"example": "limit: Input should be less than or equal to 200"},
    )
    errors: list["FieldProblem"] | None = Field(None, description="Each parameter that is wrong; the first hundred")
    request_id: str | None = Field(None, alias="requestId", description="What the log calls this request")


class FieldProblem(BaseModel):
    """One parameter that is wrong."""

    name: str = Field(
        description="Parameter or path into the body as it was sent: `at`, or `[1].at` of the second event of a list",
        json_schema_extra={"example": "limit"},
    )
    detail: str = Field(json_schema_extra={"example": "Input should be less than or equal to 200"})
