"""What the OpenAPI document has beyond what flask-openapi3 makes of schemas and views."""

from typing import Any, cast

from flask_openapi3 import OpenAPI

from service.http.request_log import route_template

Links = dict[str, dict[str, str]]
_LISTED: Links = {
    "movies_movie": {"movieId": "/movies/0/movieId"},
    "movies_similar": {"movieId": "/movies/0/movieId"},
}
# From an operation's answer to the operations it leads to, and where their parameters are in the answer.
LINKS: dict[str, Links] = {
    "events_receive": {"events_undo": {"eventId": "/results/0/eventId"}},
    "movies_search": _LISTED,
    "movies_popular": _LISTED,
    "movies_trending": _LISTED,
    "movies_similar": _LISTED,
    "movies_movie": {"movies_similar": {"movieId": "/movieId"}},
    "movies_put": {"movies_movie": {"movieId": "/movieId"}, "movies_similar": {"movieId": "/movieId"}},
    "users_recommend": {
        "users_explain": {"userId": "/userId", "movieId": "/recommendations/0/movieId"},
        "users_history": {"userId": "/userId"},
        "users_predict": {"userId": "/userId", "movies": "/recommendations/0/movieId"},
        "movies_movie": {"movieId": "/recommendations/0/movieId"},
    },
    "users_history": {"movies_movie": {"movieId": "/history/0/movieId"}},
    "batch_recommend": {"users_recommend": {"userId": "/lists/0/userId"}},
    "sessions_recommend": {"movies_movie": {"movieId": "/recommendations/0/movieId"}},
}


def complete_document(app: OpenAPI) -> dict[str, Any]:
    """The whole document of an app that has all its views."""
    document = app.api_doc
    for schema in document["components"]["schemas"].values():
        schema.pop("$defs", None)  # they stand among the components
    names = _name_operations(app)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation["operationId"] = names[path, method]
            _complete_operation(operation)
    return cast(dict[str, Any], document)


def _name_operations(app: OpenAPI) -> dict[tuple[str, str], str]:
    """Resource and view, by path and method."""
    return {
        (route_template(rule.rule), method.lower()): rule.endpoint.replace(".", "_")
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }


def _complete_operation(operation: dict[str, Any]) -> None:
    if "description" in operation:
        operation["description"] = operation["description"].replace("<br/>", " ").strip()
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        _leave_out_null(parameter["schema"])
    if not parameters and "requestBody" not in operation:
        operation["responses"].pop("422", None)  # flask-openapi3 gives it to all
    if links := LINKS.get(operation["operationId"]):
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
