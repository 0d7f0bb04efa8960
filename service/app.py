"""The Flask app."""

from pathlib import Path

from flask import Response, redirect, request, url_for
from flask_openapi3 import Info, OpenAPI
from flask_openapi3_swagger.plugins import RegisterPlugin

from common.settings import Settings
from service import components
from service.access import guard
from service.capacity import load_shedding
from service.health import readiness
from service.http import bodies, caching, compression, forwarding, headers, request_log
from service.http.document import complete_document
from service.http.json_requests import register_request_checks
from service.http.policy import OPEN, SHOWN, adopt_view, enforce_deadlines
from service.http.problems import register_error_handlers, validation_response
from service.schemas import Problem
from service.views import batch, events, health, login, movies, pages, push, sessions, stats, users

# Of the views that are libraries'.
LIBRARY_POLICIES = {"static": OPEN} | dict.fromkeys(
    ("swagger.swagger", "swagger.static", "swagger.oauth2-redirect"), SHOWN
)
DOCS = Path(__file__).with_name("templates") / "docs.html"


def create_app(settings: Settings | None = None) -> OpenAPI:
    """The service for these settings, or for those of the environment. Nothing connects before the first request."""
    app = OpenAPI(
        __name__,
        info=Info(title="Movie recommender", version="1"),
        doc_ui=False,
        security_schemes=guard.SECURITY_SCHEMES,
        openapi_extensions={"security": guard.SECURITY},
        validation_error_model=Problem,
        validation_error_callback=validation_response,
    )
    settings = settings or Settings.from_environment()
    # Or another site's page could call it, by a name that leads here; werkzeug cannot compare IPv6 addresses.
    if settings.open and settings.is_loopback and ":" not in settings.host:
        app.config["TRUSTED_HOSTS"] = ["localhost", "127.0.0.1", settings.host]
    request_log.install(app)
    bodies.install(app, settings.budget.admission)
    register_request_checks(app)
    guard.install(app, settings)
    headers.install(app, settings)
    components.install(app, settings)
    readiness.install(app)
    for module in (users, batch, movies, sessions, events, push, stats, health):
        app.register_api(module.blueprint)
    compression.install(app)
    caching.install(app)
    app.register_blueprint(login.blueprint)
    app.register_blueprint(pages.blueprint)
    register_documentation(app)
    register_error_handlers(app)
    for endpoint, policy in LIBRARY_POLICIES.items():
        adopt_view(app, endpoint, policy)
    made = components.components_of(app)
    enforce_deadlines(app, made.views)
    load_shedding.install(app, made.budget.admission, settings)
    forwarding.install(app, settings)
    return app


def register_documentation(app: OpenAPI) -> None:
    """`/openapi.json`, and `/docs` with its assets."""
    app.config["SWAGGER_HTML_STRING"] = DOCS.read_text(encoding="utf-8")  # its own page has inline scripts
    document = complete_document(app)
    app.register_blueprint(RegisterPlugin.register("/openapi.json"), url_prefix="/docs")

    @app.route("/openapi.json")
    @SHOWN
    def openapi() -> dict[str, object]:
        return {**document, "servers": [{"url": request.script_root or "/"}]}

    @app.route("/docs")
    @SHOWN
    def docs() -> Response:
        return redirect(url_for("swagger.swagger"))  # type: ignore[return-value]
