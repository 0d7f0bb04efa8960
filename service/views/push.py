"""The stream of server-sent events, and the tokens that open it."""

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag

from service.access.guard import STREAM_SECURITY, current_access, key_name, require_key
from service.access.stream_tokens import TOKEN_SECONDS
from service.components import components
from service.http.policy import FOLLOWED, SHOWN
from service.http.responses import Reply, reply
from service.push.broadcaster import Holder
from service.schemas import StreamQuery, StreamToken

MEDIA_TYPE = "text/event-stream"

blueprint = APIBlueprint("push", __name__, url_prefix="/v1", abp_tags=[Tag(name="push")])


@blueprint.get(
    "/stream",
    responses={200: {"description": "Server-sent events", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    security=STREAM_SECURITY,
)
@FOLLOWED
def stream(query: StreamQuery) -> Response:
    """Follow viewings (`watch`) and fresh recommendations (`recommendations`) as they happen.

    Send the last id seen as `Last-Event-ID` to miss nothing after a lost connection (browsers do so by themselves). Who
    is too far behind gets a `gap` in place of the batches from after one number until another. 429: the key or the
    address follows as many streams as it may.
    Another site's EventSource, which can send no key, opens it with a `token`.
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


@blueprint.post("/stream/tokens", responses={200: StreamToken})
@SHOWN
def issue_token() -> Reply:
    """A token with which another site's page opens `/v1/stream`, and nothing else, for some minutes.

    A server gets it with its key and gives it to the page. It ends with the key, and its requests count as the key's. A
    stream that is open stays so. 401 also where nobody needs a key: there the stream needs no token.
    """
    token = current_access().stream_tokens.issue(require_key())
    return reply(StreamToken(token=token, expires_in=TOKEN_SECONDS))


def _find_holders() -> tuple[Holder, ...]:
    """Whose a stream is: the address's, and the key's if it came with one."""
    settings = components().settings
    holders = (Holder(f"the address {request.remote_addr}", settings.streams_per_address),)
    name = key_name()
    return (*holders, Holder(f"the key {name!r}", settings.streams_per_key)) if name else holders
