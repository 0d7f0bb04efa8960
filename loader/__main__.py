"""The bulk load CLI: `python -m loader bulk|check PATH`."""

import json
from pathlib import Path

import click

from graph.commands import CommandGroup, start_logging
from graph.server.contents import holds_ratings
from graph.settings import Settings
from loader.bulk import bulk_load
from loader.folder import open_folder
from loader.staging import Account, read_folder

SHOWN_REJECTS = 10

tolerance_option = click.option(
    "--tolerance",
    default=0.001,
    show_default=True,
    help="Share of lines that may be rejected.",
    type=click.FloatRange(0, 1),
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress bars.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the account of all lines as JSON.")


@click.group(cls=CommandGroup)
def main() -> None:
    """Load ratings into Neo4j.

    PATH is a folder with Netflix Prize files (combined_data_*.txt or training_set/mv_*.txt, movie_titles.csv|txt) or
    MovieLens files (ratings.csv, ratings.dat or u.data, and its movies); which one is told by the files.
    """
    start_logging(Settings.from_environment())


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--if-empty", is_flag=True, help="Only start Neo4j if it holds ratings already.")
@click.option("--no-start", is_flag=True, help="Leave Neo4j stopped, for another server that runs its files.")
@tolerance_option
@quiet_option
@json_option
def bulk(path: Path, if_empty: bool, no_start: bool, tolerance: float, quiet: bool, as_json: bool) -> None:
    """Make the embedded Neo4j hold exactly PATH's ratings, fitted; replaces its content when all went well."""
    settings = Settings.from_environment()
    if if_empty and holds_ratings(settings, start=not no_start):
        click.echo("Ratings are loaded already.")
        return
    account = bulk_load(open_folder(path), settings, tolerance, start=not no_start, quiet=quiet)
    _print_account(account, as_json)


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@tolerance_option
@quiet_option
@json_option
def check(path: Path, tolerance: float, quiet: bool, as_json: bool) -> None:
    """Count PATH's ratings and name what is wrong, with file and line; changes nothing."""
    _, _, account = read_folder(open_folder(path), quiet=quiet)
    _print_account(account, as_json)
    account.check_tolerance(tolerance)


def _print_account(account: Account, as_json: bool) -> None:
    counts = {name: getattr(account, name) for name in ("lines", "loaded", "duplicates", "rejected", "structure")}
    rejects = [*account.rejects, *account.movie_rejects]
    if as_json:
        click.echo(json.dumps({**counts, "rejects": [vars(reject) for reject in rejects]}))
        return
    click.echo(
        f"{counts['lines']:,} lines = {counts['loaded']:,} loaded + {counts['duplicates']:,} replaced duplicates "
        f"+ {counts['rejected']:,} rejected + {counts['structure']:,} structure (headers, blank lines)"
    )
    for reject in rejects[:SHOWN_REJECTS]:
        click.echo(f"{reject.file}:{reject.line}: {reject.reason}: {reject.text!r}", err=True)
    if len(rejects) > SHOWN_REJECTS:
        click.echo(f"… and {len(rejects) - SHOWN_REJECTS:,} more; --json lists all.", err=True)


if __name__ == "__main__":
    main(prog_name="python -m loader")
