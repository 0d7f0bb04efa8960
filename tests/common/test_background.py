"""Loops in the background: no error ends one, one that keeps failing is reported, and all end with their owner."""

import logging
import threading
import time
from collections.abc import Iterator

import pytest
from conftest import wait_until

from common.background import UNTIL_WOKEN, BackgroundLoops
from common.errors import RecommenderError


@pytest.fixture
def loops() -> Iterator[BackgroundLoops]:
    loops = BackgroundLoops()
    yield loops
    assert loops.end(5) == []


@pytest.mark.parametrize("error", [RecommenderError("known"), ZeroDivisionError("a bug"), MemoryError()])
def test_whatever_a_step_raises_it_is_called_again(
    loops: BackgroundLoops, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[float] = []

    def step() -> float:
        calls.append(time.monotonic())
        if len(calls) < 3:
            raise error
        return UNTIL_WOKEN

    loops.add("one", step, pause=0.01).start()
    wait_until(lambda: len(calls) == 3)
    assert loops.failing() == {}
    expected = logging.WARNING if isinstance(error, RecommenderError) else logging.ERROR
    assert [(record.name, record.levelno) for record in caplog.records] == [("common.background", expected)], (
        "the same is logged once a minute"
    )
    assert all(record.getMessage().startswith("one: ") for record in caplog.records)


def test_a_loop_that_keeps_failing_is_reported_until_it_succeeds(
    loops: BackgroundLoops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.background.FAILING_SECONDS", 0.2)
    is_broken = threading.Event()
    is_broken.set()

    def step() -> float:
        if is_broken.is_set():
            raise ValueError
        return 0.01

    loops.add("good", lambda: 0.01).start()
    loops.add("bad", step, pause=0.01).start()
    time.sleep(0.05)
    assert loops.failing() == {}, "a failure or two are normal"
    wait_until(lambda: set(loops.failing()) == {"bad"})
    is_broken.clear()
    wait_until(lambda: loops.failing() == {})


def test_many_threads_that_wake_a_loop_begin_it_once(loops: BackgroundLoops) -> None:
    threads: set[int] = set()
    calls: list[int] = []

    def step() -> float:
        threads.add(threading.get_ident())
        calls.append(1)
        return UNTIL_WOKEN

    loop = loops.add("one", step)
    crowd = [threading.Thread(target=loop.wake) for _ in range(24)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    wait_until(lambda: len(calls) > 0)
    before = len(calls)
    loop.wake()
    wait_until(lambda: len(calls) > before)
    assert len(threads) == 1


def test_what_does_not_end_in_time_is_named_and_does_not_hold_up_the_others() -> None:
    loops = BackgroundLoops()
    may_end, hangs = threading.Event(), threading.Event()

    def hang() -> float:
        hangs.set()
        may_end.wait(20)
        return 0.0

    loops.add("quick", lambda: 0.0)
    loops.add("hung", hang)
    loops.add("never begun", lambda: 0.0)
    for loop in loops._loops[:2]:
        loop.start()
    assert hangs.wait(5)
    begin = time.monotonic()
    assert loops.end(0.3) == ["hung"]
    assert time.monotonic() - begin < 2
    may_end.set()
    assert loops.end(5) == []
    loops.start()
    assert not {"quick", "hung", "never begun"} & {thread.name for thread in threading.enumerate()}
