"""The stream of server-sent events."""

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag

from service.access.guard import key_name
from service.components import components
from service.http.policy import SHOWN
from service.push.broadcaster import Holder
from service.schemas import StreamQuery

MEDIA_TYPE = "text/event-stream"

blueprint = APIBlueprint("push", __name__, url_prefix="/v1", abp_tags=[Tag(name="push")])


@blueprint.get(
    "/stream",
    responses={200: {"description": "Server-sent events", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
)
@SHOWN
def stream(query: StreamQuery) -> Response:
    """Follow viewings (`watch`) and fresh recommendations (`recommendations`) as they happen.

    Send the last id seen as `Last-Event-ID` to miss nothing after a lost connection (browsers do so by themselves). Who
    is too far behind gets a `gap` in place of the batches from after one number until another. 429: the key or the
    address follows as many streams as it may.
    """
    last = request.headers.get("Last-Event-ID", "")
    after = int(last) if last.isdecimal() and len(last) < 19 else None
    broadcaster = components().broadcaster
    listener = broadcaster.listen(query.user_id, after, query.recent, _find_holders())
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = Response(listener.messages(), content_type=MEDIA_TYPE, headers=headers)
    # Not where the messages end: an answer to HEAD never begins them.
    response.call_on_close(lambda: broadcaster.leave(listener))
    return response


def _find_holders() -> tuple[Holder, ...]:
    """Whose a stream is: the address's, and the key's if it came with one."""
    settings = components().settings
    holders = (Holder(f"the address {request.remote_addr}", settings.streams_per_address),)
    name = key_name()
    return (*holders, Holder(f"the key {name!r}", settings.streams_per_key)) if name else holders
