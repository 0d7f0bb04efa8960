"""Answering with a schema."""

from flask import Response
from pydantic import BaseModel

Reply = Response


def reply(answer: BaseModel, status: int = 200) -> Response:
    """A JSON response of a schema, camelCase."""
    return Response(answer.model_dump_json(by_alias=True), status, content_type="application/json")
