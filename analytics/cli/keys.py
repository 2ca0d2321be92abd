"""``analytics keys``: makes the CURVE keys of the broker and its clients."""

from pathlib import Path

import click

from analytics.broker import authentication
from analytics.config import Config
from analytics.config.checks import KEY_NAME
from analytics.errors import ConfigError


@click.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def keys(config: Config, names: tuple[str, ...]) -> None:
    """Make the broker's pair of keys, and a pair for each of NAMES, in the folder that `broker.keys` names.

    Call it on the broker's host, as the user of the suite. Without NAMES the pair is the one of `broker.key_name`.
    Existing pairs stay. Files have mode 600. The output says what the other hosts need.
    """
    if not config.broker.keys:
        raise ConfigError(
            f'{config.file}: broker.keys: expected a folder, as "../keys", found none; name one first'
        )
    for name in names:
        if not KEY_NAME.fullmatch(name) or name == authentication.BROKER:
            raise ConfigError(
                f'expected a name of letters, digits, "_", "." and "-", not "broker", got "{name}"'
            )
    folder = Path(config.broker.keys)
    theirs, _ = authentication.make_keys(folder, authentication.BROKER)
    for name in names or (config.broker.key_name,):
        public, secret = authentication.make_keys(folder, name)
        click.echo(
            f"{name}: {public} lets it connect; its host needs {theirs} and {secret} at the same places below its"
        )
        click.echo(f'  own broker.keys, and broker.key_name = "{name}"')
