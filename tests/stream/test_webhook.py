"""Lists that are posted: signed, in order, again until they arrive or are not worth it any more."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import requests
from conftest import make_list
from prometheus_client import REGISTRY
from pydantic import SecretStr

from common.errors import SettingsError
from common.settings import Settings
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.recommendations import OfferedMovie, Recommendations
from stream.event_log.sqlite import SqliteEventLog
from stream.webhook import WEBHOOK, Webhook, read_secret, sign_message

NOON = datetime(2026, 1, 1, 12)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver(ThreadingHTTPServer):
    """Answers with the statuses set, then with 204; keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], str]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    @property
    def batches(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.got.append((dict(self.headers.items()), body))
        self.server.meanwhile()
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Location", "/elsewhere")
        self.send_header("Retry-After", "77")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def log(settings: Settings) -> SqliteEventLog:
    return SqliteEventLog(settings.event_log_path)


class Setting:
    """A webhook on the tests' Neo4j, and what it stands on."""

    def __init__(self, database: Database, settings: Settings, log: SqliteEventLog, url: str) -> None:
        self.database, self.log, self.now = database, log, NOON
        self.ingest = Ingest(database)
        self.settings = settings.model_copy(update={"webhook_url": url, "webhook_secret": SecretStr(SECRET)})
        database.run_text("CREATE (:User {userId: 1}), (:Movie {movieId: 7, title: 'Amélie', year: 2001})")

    def start(self) -> Webhook:
        session = requests.Session()
        return Webhook(self.settings, session, self.ingest, Recommendations(self.database), self.log, lambda: self.now)

    def store(self, *batches: str, at: datetime = NOON) -> None:
        reason = {"movieId": 7, "title": "Amélie", "contribution": 0.25}
        movie = {"movieId": 7, "title": "Amélie", "year": 2001, "score": 0.5, "current": 0.125, "because": [reason]}
        found = make_list(1, at).with_movies([OfferedMovie.from_record(movie)])
        for batch in batches:
            self.ingest.store_lists([(batch, found)])


@pytest.fixture
def setting(database: Database, settings: Settings, log: SqliteEventLog, receiver: Receiver) -> Setting:
    return Setting(database, settings, log, receiver.url)


def counted() -> dict[str, float]:
    """How many lists were delivered, failed, given up."""
    outcomes = ("delivered", "failed", "given_up")
    name = "recommender_webhook_deliveries_total"
    return {outcome: REGISTRY.get_sample_value(name, {"outcome": outcome}) or 0 for outcome in outcomes}


def deliver(webhook: Webhook) -> None:
    while webhook.deliver_once() == 0.0:
        pass


def test_a_signature_is_that_of_the_standard() -> None:
    """The example of the standard's reference implementation."""
    secret = read_secret(Settings(webhook_secret=SecretStr(SECRET)))
    signature = sign_message(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", [None, "", "whsec_", "whsec_abcd", "whsec_ü", "short"])
def test_a_webhook_without_a_real_secret_is_refused(secret: str | None) -> None:
    settings = Settings(webhook_url="http://localhost/", webhook_secret=SecretStr(secret) if secret else None)
    with pytest.raises(SettingsError, match="RECOMMENDER_WEBHOOK_SECRET"):
        read_secret(settings)


def test_a_list_is_posted_signed_as_listeners_of_the_stream_get_it(setting: Setting, receiver: Receiver) -> None:
    webhook = setting.start()
    setting.store("a")
    deliver(webhook)
    [(headers, body)] = receiver.got
    timestamp = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == sign_message(read_secret(setting.settings), "a", timestamp, body)
    assert timestamp == 1767268800
    message = json.loads(body)
    [batch] = Recommendations(setting.database).read_recommendations_since(0, 100)
    assert message == {
        "type": "recommendations",
        "timestamp": "2026-01-01T12:00:00Z",
        "data": json.loads(batch.model_dump_json(by_alias=True)),
    }
    assert "Amélie" in body
    [movie] = message["data"]["recommendations"]
    assert (movie["score"], movie["current"], movie["because"][0]["contribution"]) == (0.5, 0.125, 0.25)


def test_lists_come_in_order_once_and_a_restart_carries_on(setting: Setting, receiver: Receiver) -> None:
    setting.store("before the first start")
    webhook = setting.start()
    setting.store("a", "b")
    deliver(webhook)
    setting.store("c")
    deliver(setting.start())
    deliver(setting.start())
    assert receiver.batches == ["a", "b", "c"]


def test_a_failing_receiver_is_tried_again_with_the_same_message(setting: Setting, receiver: Receiver) -> None:
    webhook = setting.start()
    setting.store("a", "b")
    receiver.statuses = [500, 404, 302]
    waits = [webhook.deliver_once() for _ in range(5)]
    assert [wait >= 77 for wait in waits] == [True, True, True, False, False]
    assert receiver.batches == ["a", "a", "a", "a", "b"]
    assert len({body for _, body in receiver.got[:4]}) == 1
    assert setting.log.dead_letters() == []


def test_a_receiver_that_is_away_costs_a_wait(setting: Setting, receiver: Receiver, caplog: Any) -> None:
    webhook = setting.start()
    setting.store("a")
    receiver.shutdown()
    receiver.server_close()
    assert webhook.deliver_once() > 0
    assert "the webhook did not answer: ConnectionError; next try in" in caplog.text


@pytest.mark.parametrize("status", [400, 410, 413, 422])
def test_what_a_receiver_refuses_is_a_dead_letter_and_the_next_is_delivered(
    setting: Setting, receiver: Receiver, status: int
) -> None:
    webhook = setting.start()
    setting.store("a", "b")
    receiver.statuses = [status]
    deliver(webhook)
    assert receiver.batches == ["a", "b"]
    [letter] = setting.log.dead_letters()
    assert letter.reason.startswith(f"webhook: answered {status}")
    assert json.loads(letter.body)["data"]["batchId"] == "a"


def test_a_list_that_is_too_old_is_a_dead_letter(setting: Setting, receiver: Receiver) -> None:
    webhook = setting.start()
    setting.store("a")
    receiver.statuses = [500]
    webhook.deliver_once()
    setting.now = NOON + timedelta(minutes=61)
    setting.store("b", at=NOON + timedelta(minutes=30))
    deliver(webhook)
    assert receiver.batches == ["a", "b"]
    assert [letter.reason for letter in setting.log.dead_letters()] == ["webhook: not delivered within 1:00:00"]


def test_what_becomes_of_lists_is_counted_and_how_long_the_first_one_waits(
    setting: Setting, receiver: Receiver
) -> None:
    before = counted()
    webhook = setting.start()
    assert setting.ingest.find_first_undelivered(WEBHOOK) is None
    setting.store("a", at=NOON)
    setting.store("b", "c", at=NOON + timedelta(minutes=1))
    receiver.statuses = [500, 400, 204]
    assert webhook.deliver_once() > 0
    assert setting.ingest.find_first_undelivered(WEBHOOK) == NOON
    webhook.deliver_once()
    assert setting.ingest.find_first_undelivered(WEBHOOK) == NOON + timedelta(minutes=1)
    webhook.deliver_once()
    setting.now = NOON + timedelta(hours=2)
    deliver(webhook)
    assert setting.ingest.find_first_undelivered(WEBHOOK) is None
    assert {outcome: count - before[outcome] for outcome, count in counted().items()} == {
        "delivered": 1,
        "failed": 1,
        "given_up": 2,
    }


def test_a_list_of_an_erased_user_is_not_posted_and_no_dead_letter(setting: Setting, receiver: Receiver) -> None:
    def erase() -> None:
        setting.ingest.transact(lambda batch: batch.write_erasures({1: NOON}))

    webhook = setting.start()
    setting.store("a", "b")
    receiver.statuses, receiver.meanwhile = [400], erase
    deliver(webhook)
    assert receiver.batches == ["a"]
    assert setting.log.dead_letters() == []
    assert setting.ingest.find_first_undelivered(WEBHOOK) is None


def test_the_secret_is_in_no_message(setting: Setting, receiver: Receiver, caplog: Any) -> None:
    webhook = setting.start()
    setting.store("a")
    receiver.statuses = [500, 400]
    deliver(webhook)
    deliver(webhook)
    told = caplog.text + repr(setting.settings) + str(receiver.got)
    assert SECRET[6:] not in told
    assert base64.b64decode(SECRET[6:]).hex() not in told
