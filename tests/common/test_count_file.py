"""Counting on a full disk: nothing ends, nothing is lost, and the file has it all once there is room."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Clock
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from small_disk import small_disk

from common.count_file import RETRY_SECONDS, CountFile
from common.settings import ROOT
from scripts.sandbox import environment_of, sandbox_settings

COUNT = """
import sys
from pathlib import Path
from common.metrics import share_metrics
from common.settings import Settings
share_metrics(Settings.from_environment(), "worker")
from prometheus_client import Counter
counter = Counter("recommender_things_total", "Things", ["kind"])
counter.labels("before").inc()
for line in sys.stdin:
    for number in range(int(line)):
        counter.labels(f"{number:0200}").inc()
    counter.labels("before").inc()
    print("alive", flush=True)
"""


def counted(file: Path) -> dict[str, float]:
    return {key: value for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file))}


def test_it_is_read_as_prometheus_clients_own_file(tmp_path: Path) -> None:
    own = CountFile(str(tmp_path / "own"))
    for file in (own, MmapedDict(str(tmp_path / "theirs"))):
        for number in range(2000):
            file.write_value("é" * (number % 40) + f" {number}", float(number), 1.5)
        file.write_value("é 1", 7.0, 2.5)
        file.close()
    assert [own.read_value(f"{'é' * (n % 40)} {n}") for n in (1, 1999)] == [(7.0, 2.5), (1999.0, 1.5)]
    read = [list(MmapedDict.read_all_values_from_file(str(tmp_path / name))) for name in ("own", "theirs")]
    assert read[0] == read[1]


def test_a_later_process_of_the_same_id_goes_on(tmp_path: Path) -> None:
    name = str(tmp_path / "counter_1.db")
    first = CountFile(name)
    first.write_value("a", 3.0, 0.0)
    first.close()
    second = CountFile(name)
    assert second.read_value("a") == (3.0, 0.0)
    second.write_value("b", 1.0, 0.0)
    assert counted(Path(name)) == {"a": 3.0, "b": 1.0}


def test_without_room_it_counts_in_memory_and_is_on_the_disk_once_there_is_room(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = [1 << 16]

    def take(descriptor: int, size: int) -> None:
        if size > room[0]:
            raise OSError(28, os.strerror(28))
        os.posix_fallocate(descriptor, 0, size)

    monkeypatch.setattr("common.count_file.take_room", take)
    file = tmp_path / "counter_1.db"
    counts = CountFile(str(file), clock)
    for number in range(1000):
        counts.write_value(f"{number:0200}", 1.0, 0.0)
    held = len(counted(file))
    assert 200 < held < 1000
    counts.write_value(f"{0:0200}", 2.0, 0.0)  # what is there goes on
    assert counted(file)[f"{0:0200}"] == 2.0
    room[0] = 1 << 30
    clock.now += RETRY_SECONDS
    counts.write_value(f"{999:0200}", 5.0, 0.0)
    assert counted(file) == {f"{n:0200}": {0: 2.0, 999: 5.0}.get(n, 1.0) for n in range(1000)}


@pytest.mark.parametrize("full_from_the_start", [False, True])
def test_a_process_outlives_a_full_disk(tmp_path: Path, full_from_the_start: bool) -> None:
    with small_disk(tmp_path / "room", "size=1m") as disk:
        if full_from_the_start:
            disk.fill()
        environment = environment_of(sandbox_settings(disk.folder))
        process = subprocess.Popen(
            [*disk.entered, sys.executable, "-c", COUNT],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None

        def count(things: int) -> None:
            process.stdin.write(f"{things}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "alive\n", process.wait(10)

        count(1)
        disk.fill()
        count(2000)
        disk.empty()
        while len(files := list(disk.seen.glob("data/metrics/*/*.db"))) < 1 or files[0].stat().st_size < 1 << 18:
            count(1)
        [metric] = MultiProcessCollector.merge([str(file) for file in files])
        assert len(metric.samples) == 2001
        assert min(sample.value for sample in metric.samples) == 1.0
        process.communicate(timeout=10)
        assert process.returncode == 0


def test_what_is_relied_on_in_prometheus_client() -> None:
    """It looks the class up by this name whenever it opens a file, and calls nothing else of it."""
    assert "files[file_prefix] = MmapedDict(filename)" in inspect.getsource(values.MultiProcessValue)
    for name in ("read_value", "write_value", "close"):
        own, theirs = (list(inspect.signature(getattr(kind, name)).parameters) for kind in (CountFile, MmapedDict))
        assert own == theirs
