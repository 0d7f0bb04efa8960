"""What service/server relies on in gunicorn, and gunicorn does not promise: its next release line may change it."""

import inspect
import re
from importlib.metadata import version

import pytest
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from common.settings import ROOT
from service.server.worker import Worker

# Documented: a worker class of one's own with these two. The others have no setting and no hook in their place.
DOCUMENTED = {"init_process": "(self)", "notify": "(self)"}
NOT_DOCUMENTED = {
    "set_accept_enabled": "(self, enabled)",
    "accept": "(self, listener)",
    "handle_error": "(self, req, client, addr, exc)",
}


@pytest.mark.parametrize(("name", "signature"), [*DOCUMENTED.items(), *NOT_DOCUMENTED.items()])
def test_the_methods_are_there_and_take_what_we_give(name: str, signature: str) -> None:
    assert str(inspect.signature(getattr(ThreadWorker, name))) == signature


def test_nothing_else_is_overridden() -> None:
    own = {name for name in vars(Worker) if not name.startswith("__")}
    assert own & set(dir(ThreadWorker)) == {"init_process", "notify", "set_accept_enabled", "handle_error"}


def test_lines_of_an_access_log_are_made_of_what_we_leave_out_of_requests() -> None:
    assert str(inspect.signature(Logger.atoms)) == "(self, resp, req, environ, request_time)"
    assert {"RAW_URI", "QUERY_STRING"} <= set(
        re.findall(r"environ[.\[(get]*['\"](\w+)", inspect.getsource(Logger.atoms))
    )


def test_the_attributes_are_set() -> None:
    code = "".join(inspect.getsource(base) for base in ThreadWorker.__mro__[:-1])
    made = set(re.findall(r"self\.(\w+) = ", code))
    assert {"alive", "ppid", "sockets", "wsgi", "log", "pending_conns"} <= made


def test_another_release_line_is_not_installed_before_it_was_tried() -> None:
    [(least, most)] = re.findall(
        r"^gunicorn>=(\d+),<(\d+)", (ROOT / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert int(least) <= int(version("gunicorn").split(".")[0]) < int(most)
