"""Commands of the live path: `python -m stream worker|simulator`."""

import signal
import threading

import click
from werkzeug.serving import make_server

from graph.commands import CommandGroup, start_logging
from graph.database import Database
from graph.errors import RecommenderError
from graph.repositories.history import History
from graph.repositories.movies import Movies
from graph.settings import Settings
from stream.simulator import PATH, Audience, create_simulator
from stream.worker import run_worker


@click.group(cls=CommandGroup)
def main() -> None:
    """The live path: from the feed to edges and recommendations."""
    start_logging(Settings.from_environment())


@main.command()
def worker() -> None:
    """Poll the feed (RECOMMENDER_FEED_URL), write viewings to the graph, recommend at each finish.

    Stops on Ctrl-C or SIGTERM and carries on from there when started again.
    """
    run_worker(Settings.from_environment(), _stop_at_signals())


@main.command()
@click.option("--port", default=8001, show_default=True, help="Port to listen on.", type=click.IntRange(1, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--calls-per-minute", default=5, show_default=True, help="Limit; 429 past it.", type=click.IntRange(1))
@click.option(
    "--viewers", default=10, show_default=True, help="People watching at a time.", type=click.IntRange(0, 10_000)
)
@click.option("--viewing-seconds", default=30.0, show_default=True, help="How long a movie takes on average.")
@click.option("--seed", default=1, show_default=True, help="The same seed plays the same viewings.")
def simulator(port: int, host: str, calls_per_minute: int, viewers: int, viewing_seconds: float, seed: int) -> None:
    """Serve a stand-in for the Jedha x Netflix API: its wire format and limit, the loaded graph's users and movies."""
    with Database.from_settings(Settings.from_environment()) as database:
        user_ids = History(database).sample_users(limit=1000)
        movies = Movies(database).sample_movies(limit=1000)
    if not movies:
        raise RecommenderError("the database holds no rated movies to watch: run `python -m loader bulk PATH` first")
    app = create_simulator(Audience(user_ids, movies, viewers, viewing_seconds, seed), calls_per_minute)
    stop = _stop_at_signals()
    try:
        server = make_server(host, port, app, threaded=True)
    except (OSError, SystemExit) as error:
        raise RecommenderError(f"port {port} is taken by another program: choose another with --port") from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    click.echo(f"simulating the live API at http://{host}:{port}{PATH}", err=True)
    stop.wait()
    server.shutdown()


def _stop_at_signals() -> threading.Event:
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    return stop


if __name__ == "__main__":
    main(prog_name="python -m stream")
