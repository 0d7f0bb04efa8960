"""The bulk load CLI: `python -m loader bulk|add|check|export|synthesize`."""

import json
import os
import shutil
import signal
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from common.commands import CommandGroup, progress_bar
from common.files import open_privately
from common.logs import start_logging
from common.settings import Settings
from common.times import utc_now
from graph.contents import holds_ratings
from loader.add import add_ratings
from loader.bulk import bulk_load
from loader.export import export_graph
from loader.runs import told_failures
from loader.staging.report import Report
from loader.staging.stage import stage
from loader.synthesis.generator import Size, synthesize

SHOWN_REJECTS = 10

tolerance_option = click.option(
    "--tolerance",
    default=0.001,
    show_default=True,
    help="Share of the ratings' lines that may be rejected; with more, nothing is loaded.",
    type=click.FloatRange(0, 1),
)


def _require_folder(_: click.Context, __: click.Parameter, file: Path | None) -> Path | None:
    """Told before the work, not after it."""
    if file and not os.access(file.parent, os.W_OK):
        raise click.BadParameter(f"{file} cannot be written: is there a folder {file.parent}?")
    return file


rejects_option = click.option(
    "--rejects",
    "rejects_file",
    help="Write all rejected lines to this CSV file (file, line, reason, text).",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    callback=_require_folder,
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress bars.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the account of all lines as JSON.")
path_argument = click.argument("path", type=click.Path(path_type=Path))


@click.group(cls=CommandGroup)
def main() -> None:
    """Load ratings into Neo4j.

    PATH is a folder with ratings, or the .zip, .tar or .tar.gz they are distributed in, which is read as it is. Netflix
    Prize (combined_data_*.txt or training_set/mv_*.txt, movie_titles.csv|txt, probe.txt, qualifying.txt) and MovieLens
    (ratings.csv, ratings.dat or u.data, and its movies) are told apart by the files' names.
    """
    start_logging(Settings.from_environment())


@main.command()
@path_argument
@click.option("--if-empty", is_flag=True, help="Only start Neo4j if it holds ratings already.")
@click.option("--no-start", is_flag=True, help="Leave Neo4j stopped, for another server that runs its files.")
@click.option(
    "--forget-live",
    is_flag=True,
    help="Do not carry over what came live; what the worker has not written yet still comes.",
)
@tolerance_option
@rejects_option
@quiet_option
@json_option
def bulk(
    path: Path,
    if_empty: bool,
    no_start: bool,
    forget_live: bool,
    tolerance: float,
    rejects_file: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make the embedded Neo4j hold exactly PATH's ratings, fitted, and what came live.

    The old content serves until the new one is complete and verified, then they change places within seconds. Run again
    after a failure or a kill, it goes on after the last complete stage.
    """
    settings = Settings.from_environment()
    if if_empty and holds_ratings(settings, start=not no_start):
        click.echo("Ratings are loaded already.")
        return
    tell = partial(print_report, rejects_file=rejects_file, as_json=as_json)
    bulk_load(path, settings, tolerance, tell, start=not no_start, forget_live=forget_live, quiet=quiet)


@main.command()
@path_argument
@tolerance_option
@rejects_option
@quiet_option
@json_option
def add(path: Path, tolerance: float, rejects_file: Path | None, quiet: bool, as_json: bool) -> None:
    """Add PATH's ratings to the running database, in small transactions beside all else.

    Of a pair that is rated already the later date counts. Run again after a failure or a kill, it goes on where it was.
    The model learns from them at the next `python -m engine fit`.
    """
    tell = partial(print_report, rejects_file=rejects_file, as_json=as_json)
    add_ratings(path, Settings.from_environment(), tolerance, tell, quiet=quiet)


@main.command()
@path_argument
@tolerance_option
@rejects_option
@quiet_option
@json_option
def check(path: Path, tolerance: float, rejects_file: Path | None, quiet: bool, as_json: bool) -> None:
    """Count PATH's ratings and name what is wrong, with file and line; changes nothing."""
    settings = Settings.from_environment()
    data = settings.data  # where a full load finds room as well
    with told_failures(), tempfile.TemporaryDirectory(prefix="check-", dir=data if data.is_dir() else None) as folder:
        report = Report.of(stage(path, Path(folder), latest=utc_now() + settings.future, quiet=quiet))
        print_report(report, rejects_file, as_json=as_json)
        report.check_tolerance(tolerance)


@main.command("export")
@click.argument("folder", metavar="OUT", type=click.Path(path_type=Path))
@quiet_option
def export_command(folder: Path, quiet: bool) -> None:
    """Write the running database's ratings and viewings to the new folder OUT, as ratings.parquet and viewings.parquet.

    Both are sorted by user. A rating has userId, movieId, rating, at and eventId (none if it was bulk-loaded), a
    viewing userId, movieId, eventId, source, startedAt, lastSeenAt, finishedAt and abandonedAt.
    """
    ratings, viewings = export_graph(folder, Settings.from_environment(), quiet=quiet)
    click.echo(f"{folder} holds {ratings:,} ratings and {viewings:,} viewings.")


@main.command("synthesize")
@click.argument("folder", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--users", default=Size.users, show_default=True, help="Users, each with a rating or more.")
@click.option("--movies", default=Size.movies, show_default=True, help="Movies.")
@click.option("--ratings", default=Size.ratings, show_default=True, help="Ratings.")
@click.option("--seed", default=0, show_default=True, help="The same seed and sizes give the same files.")
@quiet_option
def synthesize_command(folder: Path, users: int, movies: int, ratings: int, seed: int, quiet: bool) -> None:
    """Write realistic data in the Netflix Prize's format to OUT, by default as much as the Netflix Prize's.

    Popularity, activity, stars and dates are spread as there, and tastes can be learned. Movies come up and fade,
    tastes drift, and users rate many movies on one day.
    """
    size = Size(users, movies, ratings)
    with progress_bar("Synthesizing", ratings, "rating", quiet=quiet) as bar:
        synthesize(folder, size, seed, bar.update)
    click.echo(f"{folder} holds {ratings:,} ratings of {movies:,} movies by {users:,} users.")


def print_report(report: Report, rejects_file: Path | None, *, as_json: bool) -> None:
    """Print where all lines went, on stdout; name the first rejected ones, on stderr."""
    if rejects_file:
        with report.rejects_file.open("rb") as kept, open(rejects_file, "wb", opener=open_privately) as copy:
            shutil.copyfileobj(kept, copy)
    if as_json:
        accounts = {kind: asdict(account) for kind, account in sorted(report.accounts.items())}
        rejects = [asdict(reject) for reject in report.rejects]
        click.echo(json.dumps({**accounts.pop("ratings"), **accounts, "rejects": rejects}))
        return
    for kind, account in report.accounts.items():
        if account.lines:
            click.echo(
                f"{kind}: {account.lines:,} lines = {account.loaded:,} loaded + {account.duplicates:,} replaced "
                f"duplicates + {account.rejected:,} rejected + {account.structure:,} structure (headers, blank lines)"
            )
    for reject in report.rejects[:SHOWN_REJECTS]:
        click.echo(str(reject), err=True)
    rejected = sum(account.rejected for account in report.accounts.values())
    if rejected > SHOWN_REJECTS:
        click.echo(f"… and {rejected - SHOWN_REJECTS:,} more; --rejects FILE writes all.", err=True)


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: what was begun is cleaned up
        signal.signal(ending, signal.default_int_handler)
    main(prog_name="python -m loader")
