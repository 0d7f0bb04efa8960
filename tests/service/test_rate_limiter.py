"""Rate limits: exact in one process, and shared by several."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Clock
from small_disk import small_disk

from common.settings import ROOT
from service.access.rate_limiter import RateLimiter, Verdict

ADMIT = """
import sys, time
from pathlib import Path
from service.access.rate_limiter import RateLimiter
limits = RateLimiter(Path(sys.argv[1]))
print(sum(limits.admit(3, 500).admitted for _ in range(1000)))
"""
DIE_WITH_THE_LOCK = """
import fcntl, sys, time
from pathlib import Path
from service.access.rate_limiter import RateLimiter
limits = RateLimiter(Path(sys.argv[1]))
limits.admit(0, 100)
fcntl.lockf(limits._opened[0], fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture
def limits(tmp_path: Path, clock: Clock) -> RateLimiter:
    return RateLimiter(tmp_path / "data" / "rate-limits", clock)


def test_so_many_at_once_and_then_evenly(limits: RateLimiter, clock: Clock) -> None:
    verdicts = [limits.admit(0, 60) for _ in range(61)]
    assert [verdict.admitted for verdict in verdicts] == [True] * 60 + [False]
    assert [verdict.remaining for verdict in verdicts[:60]] == list(reversed(range(60)))
    assert verdicts[60].seconds == 1
    for _ in range(100):
        clock.now += 1
        assert limits.admit(0, 60).admitted
        assert not limits.admit(0, 60).admitted


def test_what_is_told_to_wait_is_enough_and_not_much_too_long(limits: RateLimiter, clock: Clock) -> None:
    limits.admit(0, 2)
    limits.admit(0, 2)
    refused = limits.admit(0, 2)
    assert (refused.admitted, refused.seconds) == (False, 30)
    clock.now += 29
    assert not limits.admit(0, 2).admitted
    clock.now += 1
    assert limits.admit(0, 2).admitted


def test_refused_requests_cost_nothing(limits: RateLimiter, clock: Clock) -> None:
    for _ in range(1000):
        limits.admit(0, 1)
    clock.now += 60
    assert limits.admit(0, 1).admitted


def test_keys_do_not_share(limits: RateLimiter) -> None:
    assert limits.admit(0, 1).admitted
    assert limits.admit(1, 1).admitted
    assert limits.admit(1023, 1).admitted
    assert not limits.admit(0, 1).admitted


def test_a_machine_started_again_and_a_broken_file_shut_nobody_out(
    tmp_path: Path, limits: RateLimiter, clock: Clock
) -> None:
    for _ in range(10):
        limits.admit(0, 10)
    clock.now = 5.0
    assert [limits.admit(0, 10).admitted for _ in range(11)] == [True] * 10 + [False]
    (tmp_path / "data" / "rate-limits").write_bytes(b"\xff" * 8192)  # not a number
    assert [limits.admit(0, 10).admitted for _ in range(11)] == [True] * 10 + [False]


def test_processes_share_a_limit(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ADMIT, str(tmp_path / "rate-limits")]
    begin = time.monotonic()
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(3)]
    admitted = sum(int(process.communicate(timeout=60)[0]) for process in processes)
    come_since = (time.monotonic() - begin) * 500 / 60
    assert 500 <= admitted <= 501 + come_since


def test_threads_share_a_limit(limits: RateLimiter) -> None:
    with ThreadPoolExecutor(8) as pool:
        admitted = list(pool.map(lambda _: limits.admit(0, 500).admitted, range(2000)))
    assert sum(admitted) == 500


def test_a_process_that_dies_with_the_lock_holds_up_nobody(tmp_path: Path) -> None:
    file = tmp_path / "rate-limits"
    process = subprocess.Popen([sys.executable, "-c", DIE_WITH_THE_LOCK, str(file)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"locked\n"
    waiting = threading.Thread(target=RateLimiter(file).admit, args=(0, 100), daemon=True)
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    waiting.join(10)
    assert not waiting.is_alive()


def test_it_is_fast(tmp_path: Path) -> None:
    limits = RateLimiter(tmp_path / "rate-limits")
    limits.admit(0, 1000)
    times = []
    for _ in range(2000):
        begin = time.perf_counter()
        limits.admit(0, 1000)
        times.append(time.perf_counter() - begin)
    assert sorted(times)[1000] < 100e-6  # some 6 µs on a quiet machine


def test_without_room_each_process_counts_alone_until_there_is_room(tmp_path: Path, clock: Clock) -> None:
    """Without a file to count in nobody is refused, no file stays open, and limits hold all the same."""
    with small_disk(tmp_path / "room", "size=64k") as disk:
        disk.fill()
        limits = RateLimiter(disk.seen / "data" / "rate-limits", clock)
        opened = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        assert [limits.admit(0, 10).admitted for _ in range(11)] == [True] * 10 + [False]
        assert len(os.listdir("/proc/self/fd")) == opened  # noqa: PTH208
        disk.empty()
        assert limits.admit(0, 10).admitted
        assert not RateLimiter(disk.seen / "data" / "rate-limits", clock).admit(0, 1).admitted
        disk.fill()
        assert limits.admit(0, 10).admitted  # what has its room goes on


def test_a_request_costs_as_many_units_as_it_is_worth(limits: RateLimiter, clock: Clock) -> None:
    assert limits.admit(0, 60, 50) == Verdict(True, 10, 0)
    assert limits.admit(0, 60, 20) == Verdict(False, 10, 10)
    clock.now += 9
    assert not limits.admit(0, 60, 20).admitted
    clock.now += 1
    assert limits.admit(0, 60, 20) == Verdict(True, 0, 1)
    clock.now += 60
    assert limits.admit(0, 60, 60).admitted
    assert not limits.admit(0, 60).admitted


def test_what_is_charged_in_two_steps_is_admitted_after_the_wait_that_is_told(
    limits: RateLimiter, clock: Clock
) -> None:
    """Though the first step, which a refusal does not give back, is paid again."""
    limits.admit(0, 60, 30)
    for _ in range(3):
        assert limits.admit(0, 60).admitted
        second = limits.admit(0, 60, 59, paid=1)
        if second.admitted:
            break
        clock.now += second.seconds
    assert second == Verdict(True, 0, 1)
