"""The stream of server-sent events."""

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag

from service.graph_access import graph_access
from service.problems import PROBLEMS
from service.schemas import StreamQuery

MEDIA_TYPE = "text/event-stream"

blueprint = APIBlueprint("push", __name__, url_prefix="/v1", abp_tags=[Tag(name="push")], abp_responses=PROBLEMS)


@blueprint.get(
    "/stream",
    responses={200: {"description": "Server-sent events", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
)
def stream(query: StreamQuery) -> Response:
    """Follow viewings (`watch`) and fresh recommendations (`recommendations`) as they happen.

    Send the last id seen as `Last-Event-ID` to miss nothing after a lost connection (browsers do so by themselves).
    """
    last = request.headers.get("Last-Event-ID", "")
    after = int(last) if last.isdecimal() and len(last) < 19 else None
    messages = graph_access().pusher.listen(query.user_id, after, query.recent)
    return Response(messages, content_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
