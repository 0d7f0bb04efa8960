"""The OpenAPI document: valid, complete, and true of its own examples."""

import re
from typing import Any

import pytest
from apps import open_app
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from common.settings import ROOT, Settings
from service.http.document import describe_prices

with open_app(Settings()) as APP:
    DOCUMENT: dict[str, Any] = APP.test_client().get("/openapi.json").get_json()
OPERATIONS = {operation["operationId"]: operation for path in DOCUMENT["paths"].values() for operation in path.values()}
PROBLEM = "application/problem+json"


def validate(schema: dict[str, Any], value: object) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def test_the_document_is_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert DOCUMENT["openapi"].startswith("3.1")


def test_the_document_names_every_operation_there_is() -> None:
    rules = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in APP.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/v1", "/health", "/metrics"))
    }
    assert {(path, method) for path, operations in DOCUMENT["paths"].items() for method in operations} == rules


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_told_whole(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"].endswith(".")
    assert operation["tags"]
    expected = {"400", "422", "503"} if operation.get("parameters") or "requestBody" in operation else set()
    expected |= {"413", "415"} if "requestBody" in operation else set()
    expected |= {"404"} if any(part["in"] == "path" for part in operation.get("parameters", [])) else set()
    assert expected <= set(operation["responses"])
    for status in expected:
        assert PROBLEM in operation["responses"][status]["content"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_parameters_have_bounds_and_valid_examples(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", []):
        schema = parameter["schema"]
        assert {"maximum", "maxLength", "enum"} & set(schema) or schema["type"] == "boolean", parameter["name"]
        validate(schema, schema["example"])


def test_how_far_a_moment_may_be_ahead_is_told() -> None:
    for variant in DOCUMENT["components"]["schemas"]["EventBody"]["oneOf"]:
        assert "RECOMMENDER_FUTURE_MINUTES" in variant["properties"]["at"]["description"]


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if "requestBody" in operation])
def test_bodies_have_valid_examples(name: str) -> None:
    schema = OPERATIONS[name]["requestBody"]["content"]["application/json"]["schema"]
    validate(schema, DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["example"])


def test_links_lead_to_operations_and_their_parameters() -> None:
    links = [
        link
        for operation in OPERATIONS.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(links) > 20
    for link in links:
        assert set(link["parameters"]) <= {part["name"] for part in OPERATIONS[link["operationId"]]["parameters"]}


def test_prices_stand_in_the_document_and_in_the_readme() -> None:
    table = describe_prices(DOCUMENT)
    assert len(table.splitlines()) > 5
    assert DOCUMENT["info"]["description"].endswith(table)
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")
