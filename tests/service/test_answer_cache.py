"""Answers that are kept: only so many bytes of them, and none that are too old to be served again."""

from dataclasses import replace

import pytest

from common.background import BackgroundLoops
from graph.database import Database
from graph.repositories.ingest import Ingest
from service.capacity import answer_cache
from service.capacity.answer_cache import OLDEST_SECONDS, Answer, AnswerCache
from service.push.change_feed import ChangeFeed


@pytest.fixture
def cache(database: Database) -> AnswerCache:
    return AnswerCache(ChangeFeed(Ingest(database), patience=1, loops=BackgroundLoops()))


def answer(name: str, made_at: float = 0.0) -> Answer:
    return Answer(name.encode() * 100, name, 1, 0, made_at)


def kept(cache: AnswerCache) -> list[str]:
    return [one.etag for one in cache._answers.values()]


def test_there_are_only_so_many_bytes(cache: AnswerCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_cache, "LARGEST_BYTES", 250)
    for name in ("a", "b", "b", "c"):
        cache.put(name, answer(name))
    assert kept(cache) == ["b", "c"]


def test_what_holds_for_nobody_any_more_is_not_kept(cache: AnswerCache, database: Database) -> None:
    cache.put("a", answer("a"))
    Ingest(database).transact(lambda batch: batch.note_change(None))
    known = cache._changes.await_fresh()
    assert kept(cache) == ["a"]
    assert cache.get("of somebody else") is None
    assert kept(cache) == []
    cache.put("late", answer("late"))  # asked for before
    cache.put("b", replace(answer("b"), version=known))
    assert kept(cache) == ["b"]


def test_old_answers_go_when_new_ones_come(cache: AnswerCache) -> None:
    for name, made_at in (("a", 0.0), ("b", 1.0), ("c", OLDEST_SECONDS)):
        cache.put(name, answer(name, made_at))
    assert kept(cache) == ["a", "b", "c"]
    cache.put("d", answer("d", OLDEST_SECONDS + 1))
    assert kept(cache) == ["b", "c", "d"]
