"""Commands for Neo4j: `python -m graph up|down|status|backup|restore|erasures|favourites`."""

import signal
from pathlib import Path

import click

from common.commands import CommandGroup
from common.errors import RecommenderError
from common.logs import start_logging
from common.settings import Settings
from graph.backup import BackupManifest, back_up, restore
from graph.credentials import password_file
from graph.database import Database
from graph.errors import ServerError
from graph.favourites import STYLE, write_favourites
from graph.repositories.erasures import Erasures
from graph.repositories.unknown_movies import UnknownMovies
from graph.server.class_archive import archive_classes
from graph.server.jars import ensure_jars
from graph.server.process import EmbeddedServer, RunningServer

quiet_option = click.option("--quiet", is_flag=True, help="No progress bars.")


def running_server(settings: Settings) -> RunningServer | None:
    """The embedded Neo4j, if it runs. Raises ServerError if it does not answer, or another one is to be used."""
    if settings.neo4j_uri:
        raise ServerError("NEO4J_URI names a Neo4j that we do not run: unset it for the embedded one")
    server = EmbeddedServer.of(settings)
    if running := server.running():
        with server.connect(running) as database:
            if not database.is_reachable():
                raise ServerError(
                    f"Neo4j's process {running.pid} runs but does not answer: unless it has only just been started, "
                    "`python -m graph down`, then `python -m graph up`"
                )
    return running


@click.group(cls=CommandGroup)
def main() -> None:
    """The embedded Neo4j: a real server, its home in NEO4J_HOME (default: .neo4j in the project)."""


@main.command()
def up() -> None:
    """Start Neo4j; return once it answers and has its schema.

    NEO4J_BOLT_PORT and NEO4J_HTTP_PORT move it to other ports. The password is made at the first start and kept in the
    file `password` in its home.
    """
    settings = Settings.from_environment()
    already = running_server(settings)
    ports = settings.neo4j_bolt_port, settings.neo4j_http_port
    started = EmbeddedServer.of(settings).up(*ports, password=settings.own_password)
    if already:
        click.echo(f"Neo4j is already running: {_describe(started)}")
        return
    click.echo(f"Neo4j is up: {_describe(started)}")
    click.echo(f"User neo4j, password in {password_file(settings.neo4j_home)}")


@main.command()
def down() -> None:
    """Stop Neo4j and wait until it has ended. A `make run` that uses it is to be ended instead."""
    server = EmbeddedServer.of(Settings.from_environment())
    server.home.require_no_run()
    stopped = server.down()
    click.echo("Neo4j is down." if stopped else "Neo4j was not running.")


@main.command()
def status() -> None:
    """Say whether Neo4j runs and where; exit 1 if it does not, or does not answer."""
    running = running_server(Settings.from_environment())
    if running is None:
        click.echo("Neo4j is not running: start it with `python -m graph up`.")
        raise SystemExit(1)
    click.echo(f"Neo4j is running: {_describe(running)}")


@main.command()
def fetch() -> None:
    """Fetch the server's jars, and have Java archive their classes for faster starts (`make setup` does)."""
    cache = Settings.from_environment().cache
    click.echo(f"Neo4j's jars are in {ensure_jars(cache)}")
    click.echo(f"Their classes are in {archive_classes(cache)}")


@main.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@quiet_option
def backup_command(file: Path, quiet: bool) -> None:
    """Write all that the embedded Neo4j holds to the new FILE; it stands still for seconds, while it is copied.

    FILE also has the numbers of nodes and edges of each kind, counted in the copy, which `restore` compares.
    """
    start_logging(Settings.from_environment())
    manifest = back_up(Settings.from_environment(), file, quiet=quiet)
    click.echo(f"{file} holds {_describe_counts(manifest)}.")


@main.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@quiet_option
def restore_command(file: Path, quiet: bool) -> None:
    """Have the embedded Neo4j hold what FILE does, and start it.

    The old content serves until the new one is complete and counted. Users who were erased since the backup are left
    out; what happened since and is still on the event log comes again.
    """
    start_logging(Settings.from_environment())
    manifest = restore(Settings.from_environment(), file, quiet=quiet)
    click.echo(f"Restored {_describe_counts(manifest)}, as of {manifest.made_at[:19]} UTC.")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default="favourites.zip")
def favourites(file: Path) -> None:
    """Write FILE (favourites.zip), which adds our favourites to Neo4j Browser when it is dropped there."""
    count = write_favourites(file)
    click.echo(f"{file} holds {count} favourites. Drop it on Neo4j Browser's page, and {STYLE} too.")


@main.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
def unknown(limit: int) -> None:
    """Show movies that events speak of and no catalogue has, the most frequent first."""
    with Database.from_settings(Settings.from_environment()) as database:
        for movie in UnknownMovies(database).list(0, limit):
            seen = f"  last {movie.last_seen_at:%Y-%m-%d %H:%M:%S}" if movie.last_seen_at else ""
            click.echo(f"{movie.movie_id:10}  kept {movie.kept:6}  refused {movie.refused:6}{seen}")


@main.group()
def erasures() -> None:
    """Users who asked to be forgotten (`DELETE /v1/users/{userId}`)."""


@erasures.command("list")
def list_erasures() -> None:
    """Show who is erased, since when, and whether that was lifted."""
    settings = Settings.from_environment()
    with Database.from_settings(settings) as database:
        for erased in Erasures(database, settings.erased_file).read():
            lifted = f"  lifted {erased.lifted_at:%Y-%m-%d %H:%M:%S}" if erased.lifted_at else ""
            click.echo(f"{erased.user_id:10}  erased {erased.at:%Y-%m-%d %H:%M:%S}{lifted}")


@erasures.command()
@click.argument("user", type=click.IntRange(1))
def lift(user: int) -> None:
    """Let USER come back: what happens from now on counts again. What happened before stays forgotten."""
    settings = Settings.from_environment()
    with Database.from_settings(settings) as database:
        if not Erasures(database, settings.erased_file).lift(user):
            raise RecommenderError(
                f"user {user} is not erased, or not all is removed yet; see `python -m graph erasures list`"
            )
    click.echo(f"User {user} may come back.")


def _describe_counts(manifest: BackupManifest) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in manifest.counts.items()) or "nothing"


def _describe(server: RunningServer) -> str:
    return f"{server.bolt_uri}, Neo4j Browser {server.browser_url}, process {server.pid}"


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: what was begun is cleaned up
        signal.signal(ending, signal.default_int_handler)
    main(prog_name="python -m graph")
