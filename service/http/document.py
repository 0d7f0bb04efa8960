"""What the OpenAPI document has beyond what flask-openapi3 makes of schemas and views."""

from typing import Any, cast

from flask_openapi3 import OpenAPI

from service.http.policy import Links, policy_of
from service.http.problems import BODY_PROBLEMS, PATH_PROBLEMS, PROBLEMS
from service.http.request_log import route_template

PRICES = """A key may use so many units a minute (`RateLimit-Policy`). A request costs 1 unit, but:

"""


def complete_document(app: OpenAPI) -> dict[str, Any]:
    """The whole document of an app that has all its views."""
    document = app.api_doc
    for schema in document["components"]["schemas"].values():
        schema.pop("$defs", None)  # they stand among the components
    endpoints = _find_endpoints(app)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            endpoint = endpoints[path, method]
            operation["operationId"] = endpoint.replace(".", "_")
            if path.startswith("/v1/"):
                _add_problems(operation, path)
            policy = policy_of(app, endpoint)
            _complete_operation(operation, policy.leads_to if policy else {})
            if policy and policy.price:
                operation["x-price"] = policy.price.text
    document["info"]["description"] = PRICES + describe_prices(document)
    return cast(dict[str, Any], document)


def describe_prices(document: dict[str, Any]) -> str:
    """A table of what requests cost that may cost more than a unit."""
    prices = [
        f"| `{method.upper()} {path}` | {operation['x-price']} |"
        for path, operations in sorted(document["paths"].items())
        for method, operation in sorted(operations.items())
        if "x-price" in operation
    ]
    return "\n".join(["| request | units |", "| --- | --- |", *prices])


def _find_endpoints(app: OpenAPI) -> dict[tuple[str, str], str]:
    """Endpoints by path and method."""
    return {
        (route_template(rule.rule), method.lower()): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }


def _add_problems(operation: dict[str, Any], path: str) -> None:
    """What every operation may answer, what those with a path parameter may, and those with a body."""
    operation["responses"] |= PROBLEMS
    if "{" in path:
        operation["responses"] |= PATH_PROBLEMS
    if "requestBody" in operation:
        operation["responses"] |= BODY_PROBLEMS


def _complete_operation(operation: dict[str, Any], links: Links) -> None:
    if "description" in operation:
        operation["description"] = operation["description"].replace("<br/>", " ").strip()
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        _leave_out_null(parameter["schema"])
    if not parameters and "requestBody" not in operation:
        operation["responses"].pop("422", None)  # flask-openapi3 gives it to all
    if links:
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                response["links"] = _describe_links(links)


def _leave_out_null(schema: dict[str, Any]) -> None:
    """A path or query string has no null: a parameter is there or not."""
    if "anyOf" in schema:
        [kind] = [kind for kind in schema.pop("anyOf") if kind != {"type": "null"}]
        schema.update(kind)
    if schema.get("default", ...) is None:
        schema.pop("default")


def _describe_links(links: Links) -> dict[str, Any]:
    return {
        name: {
            "operationId": name,
            "parameters": {key: f"$response.body#{pointer}" for key, pointer in places.items()},
        }
        for name, places in links.items()
    }
