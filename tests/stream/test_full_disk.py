"""A full disk under the event log: reception stops with a clear word, nothing acknowledged is lost."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import await_output
from small_disk import small_disk

from common.settings import ROOT, Settings
from graph.database import Database
from scripts.sandbox import environment_of

FILL = """
import sys
from pathlib import Path
from stream.events import Event
from stream.event_log.base import EventLogError
from stream.event_log.sqlite import SqliteEventLog

log = SqliteEventLog(Path(sys.argv[1]))
print("before:", log.check())
acknowledged = 0
try:
    while True:
        number = acknowledged + 1
        log.append([Event(type="started", source="api", at="2026-01-01T12:00:00", event_id=f"{number}",
                          user_id=number, movie_id=1, title="x" * 20_000)])
        acknowledged = number
except EventLogError as error:
    print("refused:", error)
try:
    log.check()
except EventLogError as error:
    print("after:", error)
filler.unlink() if (filler := Path(sys.argv[1]).with_name("filler")).exists() else None
log.append([Event(type="started", source="api", at="2026-01-01T12:00:00", event_id="again", user_id=1, movie_id=1)])
print("kept:", [event.user_id for _, event in log.read(0, 0, 10**9)] == [*range(1, acknowledged + 1), 1])
"""


def test_a_full_disk_refuses_events_and_keeps_those_it_took(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    steps = (
        f"mount -t tmpfs -o size=80m tmpfs {room}"
        f" && dd if=/dev/zero of={room / 'filler'} bs=1M count=10 2> {tmp_path / 'dd'}"
        f" && {sys.executable} -c '{FILL}' {room / 'events.sqlite'}"
    )
    alone = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    done = subprocess.run(
        ["unshare", *alone, "--mount", "sh", "-c", steps],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert told["before"] == "sqlite events.sqlite"
    assert told["refused"].startswith(f"event log {room / 'events.sqlite'}: ")
    assert told["after"].startswith("no room for the event log")
    assert told["kept"] == "True"


def test_a_worker_that_starts_on_a_full_disk_waits_for_room(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    output = tmp_path / "output.txt"
    with small_disk(tmp_path / "room", "size=2m") as disk, output.open("wb") as stream:
        disk.fill()
        process = subprocess.Popen(
            [*disk.entered, sys.executable, "-m", "stream", "worker"],
            env=environment_of(settings.model_copy(update={"data": disk.folder / "data"})),
            stdout=stream,
            stderr=stream,
        )
        try:
            await_output(process, output, "waiting for room on the disk: cannot open the event log", 60)
            disk.empty()
            await_output(process, output, "waiting for ratings to be loaded", 60)
        finally:
            process.terminate()
            process.wait(20)
    assert output.read_text().count("waiting for room") == 1
