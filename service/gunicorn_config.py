"""Gunicorn's configuration: `gunicorn --config python:service.gunicorn_config`. Everything comes from the settings."""

from graph.settings import Settings

_settings = Settings.from_environment()

wsgi_app = "service.app:create_app()"
bind = f"{_settings.host}:{_settings.port}"
workers = _settings.workers
worker_class = "service.worker.ArrivalWorker"  # gthread: docs/benchmarks.md, "Worker class"
threads = 512  # a listener of /v1/stream keeps one; they are made when needed
worker_connections = 2000
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 4096
graceful_timeout = 5
loglevel = _settings.log_level.lower()
logger_class = "gunicorn.glogging.Logger"
control_socket_disable = True
