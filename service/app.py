"""The Flask app."""

from flask import Response, redirect, url_for
from flask_openapi3 import Info, OpenAPI
from flask_openapi3_swagger.plugins import RegisterPlugin

from graph.settings import Settings
from service import graph_access, observation, readiness
from service.problems import register_error_handlers, validation_response
from service.schemas import Problem
from service.views import events, health, movies, push, sessions, stats, users

LARGEST_BODY = 1 << 20


def create_app(settings: Settings | None = None) -> OpenAPI:
    """The service for these settings, or for those of the environment. Nothing connects before the first request."""
    app = OpenAPI(
        __name__,
        info=Info(title="Movie recommender", version="1"),
        doc_ui=False,
        security_schemes={},
        validation_error_model=Problem,
        validation_error_callback=validation_response,
    )
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    observation.install(app)
    graph_access.install(app, settings or Settings.from_environment())
    readiness.install(app)
    for module in (users, movies, sessions, events, push, stats, health):
        app.register_api(module.blueprint)
    register_documentation(app)
    register_error_handlers(app)
    return app


def register_documentation(app: OpenAPI) -> None:
    """`/openapi.json`, and `/docs` with its assets."""
    app.register_blueprint(RegisterPlugin.register("/openapi.json"), url_prefix="/docs")

    @app.route("/openapi.json")
    def openapi() -> dict[str, object]:
        return app.api_doc

    @app.route("/docs")
    def docs() -> Response:
        return redirect(url_for("swagger.swagger"))  # type: ignore[return-value]
