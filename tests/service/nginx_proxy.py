"""The reverse proxy of docker-compose.yml, on a port and in a folder of the tests' own."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import wait_until
from gunicorn_service import Address

from common.settings import ROOT
from graph.server.ports import answers, free_ports

TEMPLATE = ROOT / "proxy" / "nginx.conf.template"


@dataclass(frozen=True)
class Nginx(Address):
    """A running nginx."""

    errors: Path


def fill_in(**variables: str) -> str:
    """Our configuration as the official image fills it in."""
    return re.sub(r"\$\{(\w+)\}", lambda found: variables[found[1]], TEMPLATE.read_text(encoding="utf-8"))


@contextmanager
def proxying(
    service_port: int, folder: Path, prefix: str = "", scheme: str = "$scheme", connections: int = 4096
) -> Iterator[Nginx]:
    """An nginx with our configuration before a service, until the end of the block."""
    [port] = free_ports(1)
    text = fill_in(LISTEN=f"127.0.0.1:{port}", SERVICE=f"127.0.0.1:{service_port}", PREFIX=prefix, SCHEME=scheme)
    with running_nginx(text.replace(" 4096;", f" {connections};"), port, folder) as nginx:
        yield nginx


@contextmanager
def running_nginx(text: str, port: int, folder: Path) -> Iterator[Nginx]:
    """An nginx with a configuration, until the end of the block."""
    folder.mkdir()
    text = text.replace(" /tmp/", f" {folder}/")
    configuration, errors = folder / "nginx.conf", folder / "errors.txt"
    configuration.write_text(text, encoding="utf-8")
    process_settings = "daemon off;" + (" user root;" if os.getuid() == 0 else "")  # who may use the tests' folder
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert nginx is not None
    command = [nginx, "-p", folder, "-c", configuration, "-g", process_settings]
    with errors.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            wait_until(lambda: process.poll() is not None or answers(port))
            assert process.poll() is None, errors.read_text()
            yield Nginx(port, errors)
        finally:
            process.terminate()
