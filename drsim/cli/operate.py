"""What commands about a running agent share: finding its socket, asking, and saying what it refused."""

from __future__ import annotations

from typing import Any

import click


def ask(config: str, site: str | None, question: dict[str, Any]) -> Any:
    """Ask the agent that runs with a configuration.

    Raises:
        click.ClickException: no agent answers, or it refuses.
    """
    from pathlib import Path

    from drsim.agent.config import load
    from drsim.agent.status import ask as over_socket

    socket = load(Path(config), site).status_socket
    try:
        answer = over_socket(socket, question)
    except OSError as error:
        raise click.ClickException(f"no agent answers at {socket}: {error.strerror or error}") from None
    if "error" in answer:
        raise click.ClickException(answer["error"])
    return answer
