"""`make run` on a full disk: reads go on, events wait or are refused, Neo4j is started again once there is room."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psutil
import pytest
import requests
from conftest import RunningSystem, await_output, wait_until
from small_disk import SmallDisk, small_disk

from scripts.sandbox import environment_of, sandbox_settings

# The sample beside the one that is served before it: twice half a gigabyte of Neo4j's transaction logs, most of all.
SIZE = "size=2500m"
FIRST_USER = 1_000_000
AT_A_TIME = 200


@contextmanager
def running_on(disk: SmallDisk, tmp_path: Path, *, everything: bool) -> Iterator[RunningSystem]:
    """A run with Neo4j's home on a disk; or with data, logs, temporary files and what it prints, too."""
    settings = sandbox_settings(disk.folder)
    if not everything:
        settings = settings.model_copy(update={"data": tmp_path / "data"})
    output = (disk.seen if everything else tmp_path) / "output.txt"
    with output.open("ab") as stream:
        process = subprocess.Popen(
            [*disk.entered, sys.executable, "-m", "scripts.run"],
            env=environment_of(settings) | ({"TMPDIR": str(disk.folder)} if everything else {}),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        await_output(process, output, "Following the live feed")
        yield RunningSystem(settings, process, output)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def processes_of(system: RunningSystem) -> set[int]:
    """All but Neo4j."""
    family = [psutil.Process(system.process.pid), *psutil.Process(system.process.pid).children(recursive=True)]
    return {process.pid for process in family if process.name() != "java"}


class Visitors:
    """Who finish a movie, some at a time, each once."""

    def __init__(self, system: RunningSystem) -> None:
        self._url = system.url
        self._users = count(FIRST_USER)
        self.acknowledged: list[int] = []

    def finish(self) -> int:
        """The status of the answer."""
        users = [next(self._users) for _ in range(AT_A_TIME)]
        events = [{"userId": user, "movieId": 318, "type": "finished"} for user in users]
        answer = requests.post(f"{self._url}/v1/events", json=events, timeout=10)
        if answer.status_code in {200, 202}:
            self.acknowledged += users
        else:
            assert "Retry-After" in answer.headers
            assert "disk" in answer.json()["detail"]
        return answer.status_code


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("everything", [False, True])
def test_a_run_outlives_a_full_disk(tmp_path: Path, everything: bool) -> None:
    with (
        small_disk(tmp_path / "room", SIZE) as disk,
        running_on(disk, tmp_path, everything=everything) as system,
    ):
        wait_until(lambda: system.get("/health/ready").ok, 60)
        before, visitors = processes_of(system), Visitors(system)
        answers: Counter[int] = Counter()
        expected = 503 if everything else 202

        def finish() -> bool:
            answers[visitors.finish()] += 1
            return answers[expected] >= 10

        disk.fill()
        wait_until(finish, 120)
        assert set(answers) <= {200, 202, expected}
        reads = Counter(system.get(f"/v1/users/{user}/recommendations").status_code for user in range(1, 101))
        assert set(reads) == {200}
        put = requests.put(f"{system.url}/v1/movies/999999", json={"title": "Another"}, timeout=10)
        assert (put.status_code, "its disk is full" in put.json()["detail"]) == (503, True), put.text
        ready = system.get("/health/ready")
        assert ready.status_code == 503
        assert "(NEO4J_HOME) has 0 bytes free" in ready.json()["parts"]["disk"]["detail"]
        wait_until(lambda: "is started again once there is room" in output_of(system) or everything, 60)
        time.sleep(10)
        assert processes_of(system) == before
        assert "starting it again" not in output_of(system)

        disk.empty()
        begin = time.monotonic()
        wait_until(lambda: system.get("/health/ready").ok and visitors.finish() == 200, 120)
        print(f"\nanswers {answers}, reads {reads}; ready after {time.monotonic() - begin:.1f} s")
        assert processes_of(system) == before, "no process ended"
        said = output_of(system)
        assert said.count("starting it again") <= 1
        assert everything or said.count("is started again once there is room") == 1
        last = visitors.acknowledged[-1]
        wait_until(lambda: bool(history_of(system, last)), 60)
        assert all(history_of(system, user) for user in visitors.acknowledged[:: AT_A_TIME // 2])


def output_of(system: RunningSystem) -> str:
    return system.output.read_text(errors="replace")


def history_of(system: RunningSystem, user: int) -> list[object]:
    found: list[object] = system.get(f"/v1/users/{user}/history").json()["history"]
    return found
