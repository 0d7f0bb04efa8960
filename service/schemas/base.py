"""What all requests have in common, and the problem document."""

from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

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


class Request(Shape):
    """What a client sends: names that are not known are an error."""

    model_config = ConfigDict(populate_by_name=False, extra="forbid")

    @classmethod
    @cache
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The JSON schema, made once: flask-openapi3 asks for it at every request."""
        return super().model_json_schema(*args, **kwargs)


class Body(Request):
    """What a client sends as JSON, where a number is no text."""

    model_config = ConfigDict(strict=True)


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

    name: str = Field(description="Parameter or path into the body", json_schema_extra={"example": "limit"})
    detail: str = Field(json_schema_extra={"example": "Input should be less than or equal to 200"})
