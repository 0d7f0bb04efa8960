"""Answering with a schema."""

from datetime import datetime

from flask import Response
from pydantic import BaseModel


class Reply(Response):
    """A JSON answer; `generated_at`: when what it says was found out, if that was before it was asked for."""

    generated_at: datetime | None = None


def reply(answer: BaseModel, status: int = 200, generated_at: datetime | None = None) -> Reply:
    """A schema as JSON, camelCase."""
    response = Reply(answer.model_dump_json(by_alias=True), status, content_type="application/json")
    response.generated_at = generated_at
    return response
