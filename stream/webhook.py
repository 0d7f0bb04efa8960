"""Fresh recommendations, posted to the operator's URL, signed as Standard Webhooks (standardwebhooks.com) has it."""

import base64
import hashlib
import hmac
import json
import logging
import random
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import requests

from common.errors import SettingsError
from common.settings import Settings
from common.times import utc_now
from graph.repositories.ingest import Ingest
from graph.repositories.recommendations import Recommendations, StoredBatch
from stream.backoff import Backoff
from stream.deadletters import drop_letters_of
from stream.event_log.base import EventLog
from stream.feed import CALL_SECONDS, CONNECT_SECONDS, parse_retry_after
from stream.metrics import WEBHOOK_DELIVERIES

logger = logging.getLogger(__name__)

# The IngestOffset that tells up to which sequence number lists have been delivered.
WEBHOOK = "webhook"
IDLE_SECONDS = 0.05
# A list that is not delivered by then has been overtaken by what its user did since.
WORTH_DELIVERING = timedelta(hours=1)
# Batches of the sequence that are read at a time.
READ_BATCHES = 1000
# The receiver will not take this message, however often it is sent.
REFUSED = {400, 410, 413, 415, 422}


class Webhook:
    """Delivers each stored list once or, after a crash or a lost answer, twice under the same `webhook-id`."""

    def __init__(
        self,
        settings: Settings,
        session: requests.Session,
        ingest: Ingest,
        recommendations: Recommendations,
        log: EventLog,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Raises SettingsError if there is no fitting secret. `clock` tells UTC."""
        self._url = settings.webhook_url or ""
        self._secret = read_secret(settings)
        self._session = session
        self._ingest = ingest
        self._recommendations = recommendations
        self._log = log
        self._clock = clock
        self._backoff = Backoff(random.uniform)
        self._waiting: deque[StoredBatch] = deque()
        # Lists from before the first start are nobody's news.
        self._delivered = ingest.read_offset(WEBHOOK).sequence or ingest.get_sequence()
        ingest.move_consumer(WEBHOOK, self._delivered)

    def deliver_once(self) -> float:
        """Deliver the next list, if there is one; returns the seconds to wait before the next call of this method."""
        if not self._waiting and not self._read_next():
            return IDLE_SECONDS
        batch = self._offered_by_now(self._waiting[0])
        if not batch.recommendations or self._ingest.is_erased(batch.user_id):
            self._done()
            return 0.0
        body = encode_message(batch)
        if self._clock() - batch.at > WORTH_DELIVERING:
            self._give_up(batch, f"webhook: not delivered within {WORTH_DELIVERING}")
            return 0.0
        try:
            wait, refused = self._post(batch.batch_id, body)
        except (requests.RequestException, OSError, ValueError) as error:
            wait, refused = self._fail(f"did not answer: {type(error).__name__}"), None
        if refused:
            self._give_up(batch, f"webhook: answered {refused}")
        elif wait == 0.0:
            self._backoff.succeed()
            WEBHOOK_DELIVERIES.labels("delivered").inc()
            self._done()
        return wait

    def _offered_by_now(self, batch: StoredBatch) -> StoredBatch:
        """The list without what was withdrawn while it waited."""
        offered = self._recommendations.find_offered([movie.movie_id for movie in batch.recommendations])
        kept = [movie for movie in batch.recommendations if movie.movie_id in offered]
        return batch.model_copy(update={"recommendations": kept})

    def _post(self, message_id: str, body: str) -> tuple[float, str | None]:
        """Seconds to wait before the message is tried again, 0 if it need not be; the status, if it was refused."""
        moment = int(self._clock().replace(tzinfo=UTC).timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(moment),
            "webhook-signature": sign_message(self._secret, message_id, moment, body),
        }
        with self._session.post(
            self._url,
            body.encode(),
            headers=headers,
            timeout=(CONNECT_SECONDS, CALL_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as answer:
            status = f"{answer.status_code} {answer.reason}"
            if answer.status_code < 300:
                return 0.0, None
            if answer.status_code in REFUSED:
                return 0.0, status
            return self._fail(f"answered {status}", parse_retry_after(answer.headers.get("Retry-After"))), None

    def _fail(self, reason: str, retry_after: float | None = None) -> float:
        wait = self._backoff.fail(retry_after)
        WEBHOOK_DELIVERIES.labels("failed").inc()
        logger.warning("the webhook %s; next try in %.0f s", reason, wait)
        return wait

    def _read_next(self) -> bool:
        until = min(self._ingest.get_sequence(), self._delivered + READ_BATCHES)
        if until == self._delivered:
            return False
        self._waiting.extend(self._recommendations.read_recommendations_since(self._delivered, until))
        if not self._waiting:
            self._move(until)
        return bool(self._waiting)

    def _give_up(self, batch: StoredBatch, reason: str) -> None:
        logger.warning("%s, kept as a dead letter", reason)
        self._log.bury(encode_message(batch), reason)
        if self._ingest.is_erased(batch.user_id):  # meanwhile, and the dead letters were looked through before
            drop_letters_of(self._log, {batch.user_id})
        WEBHOOK_DELIVERIES.labels("given_up").inc()
        self._done()

    def _done(self) -> None:
        """The first waiting list is dealt with; a batch of the sequence is so when all its lists are."""
        sequence = self._waiting.popleft().sequence
        if not self._waiting or self._waiting[0].sequence > sequence:
            self._move(sequence)

    def _move(self, sequence: int) -> None:
        self._ingest.move_consumer(WEBHOOK, sequence)
        self._delivered = sequence


def encode_message(batch: StoredBatch) -> str:
    """The body for one list: what a listener of /v1/stream gets, as `data`."""
    data = batch.model_dump(mode="json", by_alias=True)
    return json.dumps({"type": "recommendations", "timestamp": data["at"], "data": data}, ensure_ascii=False)


def sign_message(secret: bytes, message_id: str, timestamp: int, body: str) -> str:
    """The `webhook-signature` of a message."""
    signature = hmac.digest(secret, f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(signature).decode()}"


def read_secret(settings: Settings) -> bytes:
    """The secret that messages are signed with. Raises SettingsError if there is none, or it is none."""
    text = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    try:
        secret = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        secret = b""
    if len(secret) < 24:
        raise SettingsError(
            "RECOMMENDER_WEBHOOK_URL needs RECOMMENDER_WEBHOOK_SECRET: whsec_ and at least 24 bytes in base64, as "
            "`echo whsec_$(openssl rand -base64 32)` prints"
        )
    return secret
