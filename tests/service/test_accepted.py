"""What the document allows is accepted, and nothing else: each property and parameter is given values of all kinds."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from apps import open_app
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from common.settings import Settings
from service import schemas
from service.schemas.base import Body, Query

with open_app(Settings()) as APP:
    # To Python, but not to the document, $ is also before a last line feed.
    DOCUMENT: dict[str, Any] = json.loads(
        re.sub(r'("pattern": *"[^"]*)\$"', r'\1\\\\Z"', APP.test_client().get("/openapi.json").text)
    )

# As they are written in JSON: of numbers, how they are written matters.
NUMBERS = "0 1 -1 1.0 1e0 -0 0.0 0.5 4.5 4.3 5.5 1.5 2 10 10.0 50 51 200 201 1000 1800 1799 2200 2201 1000000 1000001"
NUMBERS += " 2147483647 2147483648 9007199254740993 1e30 1e400 -1e400 1e-9 100000000000000000000000000000"
TEXTS = ["", " ", "1", "1.0", "true", "null", "x", "a b", "Heat", "x" * 50, "x" * 51, "x" * 500, "x" * 501, "1,50"]
TEXTS += ["feed:1", "feed", "Feed:1", "\x00", "a\x00b", "a\nb", "a\x85b", "\u2028", "\u200b", "\u200d\ufe0f", "\u3164"]
TEXTS += ["\u202eevil", "a\u2066b", "a\u200eb", "\u061ca", "a\u200db", "é", "🎬", "\u2800", "\xad\xad"]
TEXTS += [
    f"{date}{time}{zone}"
    for date in ("2026-05-04T", "1900-01-01t", "2024-02-29 ")
    for time in ("20:15:00", "20:15", "23:59:60", "23:59:60.5", "20:15:00.123456789012", "20:15:00,5", "00:00:00")
    for zone in ("", "Z", "z", "+02:00", "-23:59", "+23:59", "-00:00", "+0200", "+02")
]
TEXTS += [
    f"{date}T20:15:00Z"
    for date in ("1899-12-31", "1900-02-29", "2000-02-29", "2026-02-29", "2026-04-31", "2026-13-01", "2026-00-01")
]
TEXTS += ["2026-05-04", "2026-05-04T", "2026-05-04T24:00:00Z", "2026-05-04T20:60:00Z", "2026-05-04T20:15:61Z", "0"]
TEXTS += ["2026-05-04T20:15:00+24:00", "2026-05-04T20:15:00 Z", "2026-05-04T20:15:00Z\n", "２026-05-04T20:15:00Z"]
TEXTS += ["20260504T201500Z", "2026-W19-1T20:15:00Z", "2026-5-4T20:15:00Z", "1777925700", "999-05-04T20:15:00Z"]
JSON_VALUES = [*NUMBERS.split(), "true", "false", "null", "[]", "{}", '{"a": 1}', "[null]", "[true]", "[1]", "[1, 1.0]"]
JSON_VALUES += ["[1.5]", '["1"]', "[0]", "[1, 2]", '["Comedy"]', '[" "]', '["\\u202e"]', "[[1]]", "[2147483648]"]
JSON_VALUES += ["[" + ", ".join(map(str, range(1, count + 1))) + "]" for count in (30, 31, 100, 101, 1000, 1001)]
JSON_VALUES += [json.dumps(text) for text in TEXTS]

EVENT = {"userId": 1, "movieId": 2}
BODIES: list[tuple[type[Any], dict[str, Any]]] = [
    *((schemas.EventsBody, {**EVENT, "type": kind}) for kind in ("started", "liked")),
    (schemas.EventsBody, {**EVENT, "type": "rated", "rating": 4}),
    (schemas.MovieBody, {"title": "Heat"}),
    (schemas.BatchBody, {"userIds": [1]}),
    (schemas.SessionBody, {"movieIds": [1]}),
]
PROPERTIES = ["userId", "movieId", "type", "rating", "value", "at", "eventId"]


@cache
def validator_of(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


def is_allowed(validator: Draft202012Validator, value: object) -> bool:
    try:
        return bool(validator.is_valid(value))
    except OverflowError:  # is infinity, as 1e400 is read, a multiple of 0.5
        return False


def is_accepted(model: type[Any], text: str) -> bool:
    with APP.test_request_context("/", method="POST", data=text.encode(), content_type="application/json") as context:
        try:
            model.model_validate(context.request.get_json())
        except ValidationError:
            return False
        return True


def bodies_of(model: type[Any], plain: dict[str, Any]) -> Iterator[str]:
    names = PROPERTIES if model is schemas.EventsBody else [field.alias for field in model.model_fields.values()]
    for name in [*names, "other"]:
        whole = {key: value for key, value in plain.items() if key != name}
        yield json.dumps(whole)
        for value in JSON_VALUES:
            yield f"{json.dumps(whole)[:-1]}{', ' if whole else ''}{json.dumps(name)}: {value}}}"


@pytest.mark.parametrize(("model", "plain"), BODIES, ids=lambda value: str(value)[-40:])
def test_a_body_is_accepted_if_the_document_allows_it_and_only_then(model: type[Body], plain: dict[str, Any]) -> None:
    verdicts = {True: 0, False: 0}
    for text in bodies_of(model, plain):
        documented = is_allowed(validator_of(model.__name__), json.loads(text))
        assert is_accepted(model, text) == documented, text[:300]
        verdicts[documented] += 1
    assert min(verdicts.values()) > 50


def queries() -> list[tuple[str, str, dict[str, Any], dict[str, str]]]:
    """Path, name and schema of each parameter of a query, and the others that must be there."""
    found = []
    for path, operations in DOCUMENT["paths"].items():
        told = [part for part in operations.get("get", {}).get("parameters", []) if part["in"] == "query"]
        for part in told:
            others = {one["name"]: str(one["schema"]["example"]) for one in told if one["required"] and one != part}
            found.append((path, part["name"], part["schema"], others))
    return found


MODELS = {model.__name__: model for model in Query.__subclasses__()}
MODELS |= {model.__name__: model for parent in list(MODELS.values()) for model in parent.__subclasses__()}


@pytest.mark.parametrize(("path", "name", "schema", "others"), queries(), ids=lambda value: str(value)[:40])
def test_a_parameter_is_accepted_if_the_document_allows_it_and_only_then(
    path: str, name: str, schema: dict[str, Any], others: dict[str, str]
) -> None:
    [model] = {model for model in MODELS.values() if names_of(model) == names_in(path)}
    for text in [
        *NUMBERS.split(),
        *TEXTS,
        "false",
        "True",
        "yes",
        "on",
        "1_0",
        "+1",
        " 1",
        "01",
        "nan",
        "٣",
        "[1]",
        "{}",
    ]:
        value = text if schema["type"] == "string" else read_json(text)
        documented = is_allowed(Draft202012Validator(schema), value)
        try:
            model.model_validate({**others, name: text})
        except ValidationError:
            assert not documented, text
        else:
            assert documented, text


def names_of(model: type[Query]) -> set[str | None]:
    return {field.alias for field in model.model_fields.values()}


def names_in(path: str) -> set[str]:
    return {part["name"] for part in DOCUMENT["paths"][path]["get"]["parameters"] if part["in"] == "query"}


def read_json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
