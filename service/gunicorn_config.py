"""Gunicorn's configuration: `gunicorn --config python:service.gunicorn_config`. Everything comes from the settings."""

import os
import resource
import sys
from math import ceil
from typing import Any

from common.metrics import share_metrics
from common.settings import Settings

_settings = Settings.from_environment()

wsgi_app = "service.app:create_app()"
bind = f"{_settings.host}:{_settings.port}"
workers = _settings.workers
worker_class = "service.server.worker.Worker"  # gthread; docs/benchmarks.md, "Worker class"
threads = 1152  # made when needed; the listeners of /v1/stream (push.MOST_LISTENERS) keep one each
worker_connections = 2000
keepalive = 650  # longer than load balancers keep theirs, or they send requests to where nobody listens any more
# What gunicorn itself reads of proxies: SCRIPT_NAME, and the scheme. The rest is service/http/forwarding.py's.
forwarded_allow_ips = ",".join(map(str, _settings.trusted_networks))
forwarder_headers = "SCRIPT_NAME"
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 4096
graceful_timeout = ceil(_settings.budget.stop)
loglevel = _settings.log_level.lower()
logger_class = "service.server.logger.Logger"
control_socket_disable = True
# Each process's sign of life, a file whose time counts: in memory, where a full or slow disk does not hold it up.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None  # noqa: S108

# Each connection is an open file, and one more while a thread waits for its first byte. Many systems allow 256 or 1,024
# unless asked for more; a process that has too few ends.
_wanted = worker_connections + threads + 500
_files, _most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(_files, min(_wanted, _most_files)), _most_files))

# A thread that has its answer from Neo4j waits so long for one that computes. With Python's own 5 ms, the seven round
# trips of a write took a second under load (docs/benchmarks.md, "The service").
sys.setswitchinterval(0.0005)


def on_starting(_: Any) -> None:
    """Before the first worker process is forked."""
    share_metrics(_settings, "service")


def child_exit(_: Any, worker: Any) -> None:
    """A worker process has ended: it counts no more listeners."""
    from prometheus_client.multiprocess import mark_process_dead  # there is where to count by now

    mark_process_dead(worker.pid)


def worker_exit(_: Any, worker: Any) -> None:
    """In a worker process that ends, once its requests are answered; one that never began has no app."""
    if worker.wsgi is not None:
        from service.components import components_of

        components_of(worker.wsgi).close()
