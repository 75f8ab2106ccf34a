"""What commands about a running agent share: finding its socket, asking, and saying what it refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def tell(verb: str, config: str, group: str, *, site: str | None, target: str) -> None:
    """Tell a running agent to ``suspend`` or ``resume`` a group's legs, and print the states they have then.

    Raises:
        click.ClickException: as `ask`.
    """
    told = ask(config, site, {"ask": verb, "group": group, "target": target})
    for name, state in told["states"].items():
        click.echo(f"{group} to {name}: {state}")


def of_group(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments and options by which `suspend` and `resume` name what they mean."""
    for said in (
        click.option("--target", default="", help="Only the leg to this site."),
        click.option("--site", help="The agent of this site, whatever the file says."),
        click.argument("group"),
        click.argument("config", type=click.Path(dir_okay=False)),
    ):
        command = said(command)
    return command


def ask(config: str, site: str | None, question: dict[str, Any]) -> Any:
    """Ask the agent that runs with a configuration.

    Raises:
        click.ClickException: no agent answers, or it refuses.
    """
    from pathlib import Path

    from drsim.agent.load import load
    from drsim.agent.status import ask as over_socket

    socket = load(Path(config), site).status_socket
    try:
        answer = over_socket(socket, question)
    except OSError as error:
        raise click.ClickException(f"no agent answers at {socket}: {error.strerror or error}") from None
    if "error" in answer:
        raise click.ClickException(answer["error"])
    return answer
