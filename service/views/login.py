"""The login page: a key becomes a cookie, which pages and EventSource send by themselves."""

import re
from urllib.parse import unquote

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from service.access.guard import current_access
from service.access.keys import Key
from service.access.logins import COOKIE, LOGIN_SECONDS
from service.access.same_origin import require_own_page
from service.http.policy import OPEN

# A path of ours: one slash, then nothing that a browser would drop or take for another slash.
LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
# With these a browser leaves the folder.
DOTS = {".", ".."}

blueprint = Blueprint("login", __name__)


@blueprint.get("/login")
@OPEN
def show_form() -> ResponseReturnValue:
    """The form, or who is logged in."""
    return render_form(request.args.get("next", ""), key=current_access().recognise_login())


@blueprint.post("/login")
@OPEN
def log_in() -> ResponseReturnValue:
    """Exchange a key for a cookie and go where the visitor wanted to."""
    require_own_page()
    access = current_access()
    target = request.form.get("next", "")
    if wait := access.failures.seconds_to_wait():
        access.failures.count_refused("page")
        return refuse_tries(target, wait)
    key = access.ring.find(request.form.get("key", "").strip())
    if key is None:
        wait = access.failures.add("page")
        return refuse_tries(target, wait) if wait else (render_form(target, failed=True), 401)
    response = redirect(local_path(target, request.script_root), 303)
    response.set_cookie(
        COOKIE,
        access.logins.begin(key, request.cookies.get(COOKIE)),
        max_age=LOGIN_SECONDS,
        path=request.script_root or "/",
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


@blueprint.post("/logout")
@OPEN
def log_out() -> ResponseReturnValue:
    """End the login, and have the browser forget the cookie."""
    require_own_page()
    if cookie := request.cookies.get(COOKIE):
        current_access().logins.end(cookie)
    response = redirect(f"{request.script_root}/login", 303)
    path = request.script_root or "/"
    response.delete_cookie(COOKIE, path=path, secure=request.is_secure, httponly=True, samesite="Strict")
    return response


def local_path(target: str, root: str = "") -> str:
    """The target if it is a path of ours, below the path prefix, else where a visit starts."""
    steps = unquote(re.split("[?#]", target, maxsplit=1)[0]).split("/")
    is_ours = LOCAL_PATH.fullmatch(target) and target.startswith(f"{root}/") and DOTS.isdisjoint(steps)
    return target if is_ours else f"{root}/"


def refuse_tries(target: str, seconds: int) -> ResponseReturnValue:
    """429: too many wrong keys came from the visitor's address."""
    return render_form(target, wait=seconds), 429, {"Retry-After": str(seconds)}


def render_form(target: str, *, failed: bool = False, wait: int = 0, key: Key | None = None) -> Response:
    """The login page; never kept by caches."""
    target = local_path(target, request.script_root)
    page = make_response(render_template("login.html", target=target, failed=failed, wait=wait, key=key))
    page.headers["Cache-Control"] = "no-store"
    return page
