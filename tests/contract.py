"""Calls of the REST API whose answers are checked against its OpenAPI document."""

import re
import time
from typing import Any

import requests
from jsonschema import Draft202012Validator

REST_OF_PATH = {"eventId"}


class Contract:
    """A running service and what its document promises."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.document: dict[str, Any] = requests.get(f"{url}/openapi.json", timeout=10).json()
        self._patterns = {
            template: re.compile(re.sub(r"\{(\w+)\}", _pattern, template)) for template in self.document["paths"]
        }

    def call(self, method: str, path: str, status: int = 200, **arguments: Any) -> Any:
        """The body of an answer with this status, as the document has it."""
        answer = requests.request(method, self.url + path, timeout=10, **arguments)
        assert answer.status_code == status, answer.text
        if method != "get":
            time.sleep(0.1)  # From then on no process answers from before it.
        return self.check(method, path, answer)

    def check(self, method: str, path: str, answer: requests.Response) -> Any:
        """The body of an answer, valid by what the document says of this operation and status."""
        template = self._find_template(path.partition("?")[0])
        told = self.document["paths"][template][method.lower()]["responses"][str(answer.status_code)]
        for name, header in told.get("headers", {}).items():
            assert name in answer.headers or not header.get("required")
        schema = told["content"][answer.headers["Content-Type"]]["schema"]
        body = answer.json()
        Draft202012Validator({**schema, "components": self.document["components"]}).validate(body)
        return body

    def _find_template(self, path: str) -> str:
        found = [template for template, pattern in self._patterns.items() if pattern.fullmatch(path)]
        return min(found, key=lambda template: template.count("{"))


def _pattern(name: re.Match[str]) -> str:
    return ".+" if name[1] in REST_OF_PATH else "[^/]+"
