"""The drsim command: which commands there are, and what becomes of every way in which one can end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Any

import click

from drsim import __version__
from drsim.cli import brief
from drsim.cli.exits import INTERNAL, INTERRUPTED, PASSED, REFUSED, UNREAD

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("drsim.cli.run", "Simulate a scenario and judge it."),
    "sweep": ("drsim.cli.sweep", "Run a scenario at every point of a design."),
    "size": ("drsim.cli.size", "Find the least bandwidth, journal or RPO that is enough."),
    "compare": ("drsim.cli.compare", "Hold designs against each other in the same futures."),
    "plot": ("drsim.cli.plot", "Draw every picture of a results directory."),
    "report": ("drsim.cli.report", "Write one self-contained HTML page about results."),
    "explain": ("drsim.cli.explain", "Say why a target was as far behind as it was."),
    "validate": ("drsim.cli.validate", "Check scenario files; say everything that is wrong."),
    "init": ("drsim.cli.init", "Write a commented scenario to start from."),
    "schema": ("drsim.cli.schema", "Print JSON Schemas of scenario files and of results."),
    "links": ("drsim.cli.links", "List link types and what they carry in an hour."),
    "trace": ("drsim.cli.trace", "What a trace changes, and the bandwidth and journal it asks for."),
    "seed-time": ("drsim.cli.seed_time", "How long the first full copy takes on each link."),
    "serve": ("drsim.cli.serve", "Run a real replication agent."),
    "status": ("drsim.cli.status", "Show what a running agent does."),
    "rehearse": ("drsim.cli.rehearse", "Try a failover on a snapshot while replication goes on."),
    "role": ("drsim.cli.role", "Fail a group over to a site, or have a site step down."),
    "suspend": ("drsim.cli.suspend", "Stop replicating a group until told otherwise."),
    "resume": ("drsim.cli.resume", "Replicate a suspended group again."),
    "completion": ("drsim.cli.completion", "Print the shell completion script."),
}
"""Each command's module, which has a click command of the name ``command``, and its line in ``drsim --help``.

The line stands here so that ``--help`` need not import the modules.
"""

TRACEBACK = "DRSIM_TRACEBACK"
_EXPECTED = {"ScenarioError", "RecordError", "StudyError", "TraceError", "UnitError"}
"""Errors of the input, by name, so that the rooms that raise them need not be imported to tell."""


class Lazy(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        with brief.resting():
            command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        command.name = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with the nearest name where there is no such command."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from drsim.scenario.problem import near

            ctx.fail(f"there is no command '{args[0]}'; {near(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's lines."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="drsim", message="%(prog)s %(version)s")
def cli() -> None:
    """Disaster-recovery simulator: the real replication engine in a simulated world.

    Exit codes: 0 passed, 1 internal error, 2 usage or invalid scenario, 3 ran and missed an objective,
    4 sweep incomplete, 130 interrupted, 141 nobody read stdout to its end.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, _terminated)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as >&- does: Python leaves nothing to write to
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    # Else pydantic asks every installed package whether it has some for it.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Else numpy starts a thread for each core, for products of matrices that drsim does not have.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    brief.end_at_once()
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # click turns the first into the second, and nothing else does
        # The reader has had enough, as head does; Python must not flush into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except (KeyboardInterrupt, click.Abort) as error:
        return _interrupted(error)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _end(f"{error.strerror or error}{where}", REFUSED)
    except Exception as error:
        return _internal(error)
    return code


def _invoke(arguments: Sequence[str] | None) -> int:
    try:
        code = cli.main(arguments, prog_name="drsim", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code if isinstance(error, click.UsageError) else REFUSED
    except Exception as error:
        if type(error).__name__ in _EXPECTED:
            return _refused(error)
        raise
    return code if isinstance(code, int) else PASSED


def _refused(error: Any) -> int:
    if hasattr(error, "render"):
        click.echo(error.render(), err=True)
        return REFUSED
    return _end(str(error), REFUSED)


def _interrupted(error: BaseException) -> int:
    """Say so, with what a study tells of its runs: it raises its own words, and click wraps them."""
    said = next((e for e in (error, error.__cause__) if isinstance(e, KeyboardInterrupt)), None)
    told = str(said) if said else ""
    return _end(f"interrupted: {told}" if told else "interrupted", INTERRUPTED)


def _end(message: str, code: int) -> int:
    click.echo(f"drsim: {message}", err=True)
    return code


def _internal(error: Exception) -> int:
    if isinstance(error.__cause__, KeyboardInterrupt):  # Python wraps one that comes while a class is made
        return _interrupted(error)
    if os.environ.get(TRACEBACK):
        raise error
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return _end(f"internal error: {said}\n  set {TRACEBACK}=1 to see the traceback", INTERNAL)


def _terminated(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that half-written results are removed."""
    del number, frame
    raise KeyboardInterrupt
