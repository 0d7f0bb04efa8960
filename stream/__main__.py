"""Commands of the live path: `python -m stream worker|simulator|deadletters`."""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from datetime import timedelta
from queue import SimpleQueue

import click
from werkzeug.serving import make_server

from common.commands import CommandGroup
from common.errors import RecommenderError
from common.logs import start_logging
from common.metrics import share_metrics
from common.settings import Settings
from graph.database import Database
from graph.repositories.history import History
from graph.repositories.movies import Movies
from stream.deadletters import replay_letters, select_letters
from stream.event_log import open_log
from stream.event_log.base import DeadLetter, EventLog
from stream.faults import FAULTS
from stream.replay import Replay
from stream.simulator import CURRENT, PATH, Audience, create_simulator

# Signs of a dead letter that a list shows.
SHOWN = 60
# A worker that waits for a Neo4j that hangs ends all the same: what it has not written stays on the log.
STOP_SECONDS = 4.0


@click.group(cls=CommandGroup)
def main() -> None:
    """The live path: from the feed to edges and recommendations."""
    start_logging(Settings.from_environment())


@main.command()
def worker() -> None:
    """Poll the feed (RECOMMENDER_FEED_URL), write viewings to the graph, recommend at each finish.

    Stops on Ctrl-C or SIGTERM and carries on from there when started again.
    """
    settings = Settings.from_environment()
    sys.setswitchinterval(0.0005)  # as in service/gunicorn_config.py
    share_metrics(settings, "worker")
    from stream.worker import run_worker  # what counts is imported once there is where to count

    if left := run_worker(settings, _stop_at_signals(STOP_SECONDS)):
        raise RecommenderError(
            f"stopped while {', '.join(left)} still waited for an answer: what is not applied stays on the event log"
        )


def _read_script(_: click.Context, __: click.Parameter, value: str | None) -> list[str]:
    steps = [step.strip() for step in (value or "ok").split(",")]
    if unknown := [step for step in steps if step not in {"ok", *FAULTS}]:
        raise click.BadParameter(f"{', '.join(map(repr, unknown))}: no such step; there are ok, {', '.join(FAULTS)}")
    return steps


@main.command()
@click.option("--port", default=8001, show_default=True, help="Port to listen on.", type=click.IntRange(1, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--calls-per-minute",
    default=Settings().feed_calls_per_minute,
    show_default=True,
    help="Limit; 429 past it.",
    type=click.IntRange(1),
)
@click.option(
    "--viewers", default=10, show_default=True, help="People watching at a time.", type=click.IntRange(0, 10_000)
)
@click.option(
    "--viewing-seconds",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="How long a movie takes on average.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed plays the same viewings.")
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True, max=1e6),
    help="How many times faster than the clock people watch.",
)
@click.option(
    "--current",
    default=CURRENT,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of viewings that are of a few current movies, which come up and fade; others are by number of ratings.",
)
@click.option("--replay", is_flag=True, help="Play the graph's ratings of 1,000 users, in the order of their time.")
@click.option(
    "--script",
    callback=_read_script,
    help=f"What becomes of one call after the other, again and again: ok,ok,hang. Of: ok, {', '.join(FAULTS)}.",
)
def simulator(
    port: int,
    host: str,
    calls_per_minute: int,
    viewers: int,
    viewing_seconds: float,
    seed: int,
    speed: float,
    current: float,
    replay: bool,
    script: list[str],
) -> None:
    """Serve a stand-in for the Jedha x Netflix API: its wire format and limit, the loaded graph's users and movies."""
    with Database.from_settings(Settings.from_environment()) as database:
        user_ids = History(database).sample_users(limit=1000)
        movies = Movies(database).sample_movies(limit=1000)
        ratings = History(database).read_ratings_in_order(user_ids) if replay else []
    if not movies:
        raise RecommenderError("the database holds no rated movies to watch: run `python -m loader bulk PATH` first")
    seconds = viewing_seconds / speed
    audience = (
        Replay(ratings, viewers, seconds, seed)
        if replay
        else Audience(user_ids, movies, viewers, seconds, seed, current)
    )
    app = create_simulator(audience, calls_per_minute, script=script)
    stop = _stop_at_signals()
    try:
        server = make_server(host, port, app, threaded=True)
    except (OSError, SystemExit) as error:
        raise RecommenderError(f"port {port} is taken by another program: choose another with --port") from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    click.echo(f"simulating the live API at http://{host}:{port}{PATH}", err=True)
    stop.wait()
    server.shutdown()


@main.command()
def retain() -> None:
    """Close or remove what is kept long enough (RECOMMENDER_VIEWINGS_DAYS and others); the worker does it hourly."""
    from graph.repositories.ingest import Ingest  # these count, too
    from stream.retention import retain_all

    settings = Settings.from_environment()
    with Database.from_settings(settings) as database:
        ingest = Ingest(database, timedelta(days=settings.hit_window))
        for job, count in retain_all(_event_log(), ingest, settings).items():
            click.echo(f"{job.replace('_', ' ')}: {count}")


@main.group()
def deadletters() -> None:
    """What could not be read: rows of the feed, whole answers of it, records of the event log."""


IDS = click.argument("ids", nargs=-1, type=int)
ALL = click.option("--all", "everything", is_flag=True, help="All of them.")


@deadletters.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the whole text.")
def list_letters(as_json: bool) -> None:
    """Show the dead letters, oldest first: id, time, reason, and the beginning of the text."""
    for letter in _event_log().dead_letters():
        if as_json:
            click.echo(json.dumps({**asdict(letter), "at": letter.at.isoformat()}))
        else:
            click.echo(f"{letter.letter_id:6} {letter.at:%Y-%m-%d %H:%M:%S}  {letter.reason}: {letter.body[:SHOWN]!r}")


@deadletters.command("replay")
@IDS
@ALL
def replay_chosen(ids: tuple[int, ...], everything: bool) -> None:
    """Read dead letters again, by id or all; those that can be read by now go on the event log as what they are."""
    settings = Settings.from_environment()
    log = open_log(settings)
    events, staying = replay_letters(log, _chosen(log, ids, everything), settings.future)
    click.echo(f"{events} events are on the event log; {staying} letters are still unreadable")


@deadletters.command("drop")
@IDS
@ALL
def drop_chosen(ids: tuple[int, ...], everything: bool) -> None:
    """Remove dead letters, by id or all."""
    log = _event_log()
    dropped = log.drop_letters([letter.letter_id for letter in _chosen(log, ids, everything)])
    click.echo(f"{dropped} dropped")


def _chosen(log: EventLog, ids: tuple[int, ...], everything: bool) -> list[DeadLetter]:
    if bool(ids) == everything:
        raise click.UsageError("name the ids of dead letters, or give --all")
    return select_letters(log, ids)


def _event_log() -> EventLog:
    return open_log(Settings.from_environment())


def _stop_at_signals(seconds: float | None = None) -> threading.Event:
    """An event that a signal sets; after so many seconds more the process ends, whatever it is doing.

    A thread sets it: a signal's handler runs in the main thread, which may be about to wait for the event and hold its
    lock, and would wait for itself.
    """
    stop = threading.Event()
    signals: SimpleQueue[int] = SimpleQueue()  # of all that threads share, what a handler may use

    def await_signal() -> None:
        signals.get()
        stop.set()
        if seconds is not None:
            time.sleep(seconds)
            os._exit(1)

    threading.Thread(target=await_signal, name="signals", daemon=True).start()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _: signals.put(number))
    return stop


if __name__ == "__main__":
    main(prog_name="python -m stream")
