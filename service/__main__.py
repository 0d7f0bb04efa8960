"""Commands of the service: `python -m service keys`."""

from pathlib import Path

import click

from common.commands import CommandGroup, translated_system_failures
from common.logs import start_logging
from common.settings import Settings
from service.access.keys import READ, WRITE, KeyRing, Scope, add_key, remove_key


@click.group(cls=CommandGroup)
def main() -> None:
    """The service: who may use it."""
    start_logging(Settings.from_environment())


@main.group()
def keys() -> None:
    """API keys. The service notices changes at once; it never knows more than a key's digest."""


@keys.command("add")
@click.argument("name")
@click.option("--scope", type=click.Choice([READ, WRITE]), default=READ, show_default=True, help="write includes read.")
@click.option(
    "--per-minute",
    type=click.IntRange(1),
    help="Units a minute: plain requests, or fewer that cost more.  [default: RECOMMENDER_REQUESTS_PER_MINUTE]",
)
def add(name: str, scope: Scope, per_minute: int | None) -> None:
    """Make a key and print it, this once."""
    settings = Settings.from_environment()
    with translated_system_failures():
        secret = add_key(settings.keys_path, name, scope, per_minute or settings.requests_per_minute)
    click.echo(secret)
    click.echo("Keep it: it cannot be shown again.", err=True)


@keys.command("list")
def list_keys() -> None:
    """Show the keys: name, scopes, units a minute, when it was made."""
    for key in KeyRing(_keys_path()).keys() or ():
        created = f"{key.created_at:%Y-%m-%d %H:%M}"
        click.echo(f"{key.name:<24} {'+'.join(key.scopes):<10} {key.per_minute:>8}/min  {created}")


@keys.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Remove a key; it and its logins end at once."""
    with translated_system_failures():
        remove_key(_keys_path(), name)
    click.echo(f"{name} removed")


def _keys_path() -> Path:
    return Settings.from_environment().keys_path


if __name__ == "__main__":
    main(prog_name="python -m service")
