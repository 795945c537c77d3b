"""The command line: parse, call, print. Commands are imported when they are named, so that `--help` starts fast."""

from __future__ import annotations

import importlib
import os
import sqlite3
import sys
from typing import Any

import click

from auditkit import __version__
from auditkit.errors import AuditError

# name -> (module under auditkit.cli, one line of help); the help stands here so that listing commands imports none of them
COMMANDS = {
    "run": ("run", "Plan, ask, judge and summarise an audit. Run it again to go on."),
    "plan": ("run", "What a run would ask, with tokens and price; --power: what a correlation needs. Asks nothing."),
    "judge": ("judge", "Judge (or re-judge) the stored replies of a run."),
    "status": ("status", "Where a run stands, and what it found so far."),
    "runs": ("runs", "List, show and compare runs."),
    "import": ("import_", "Bring in replies and labels that were made elsewhere."),
    "report": ("report", "A page, figures, tables and text for a paper."),
    "export": ("export", "Long CSV and Parquet with a data dictionary and the manifest."),
    "bank": ("bank", "Check the dilemmas, or print the bank's card."),
    "translate": ("translate", "Translate the bank; check translations; print their quality table."),
    "models": ("models", "What can be named after --model."),
    "detect": ("detect", "What rules find in the replies: classes, stereotypes, voices, languages; and why."),
    "review": ("review", "Label replies in a terminal: samples, adjudication, sheets, suspect translations."),
    "agreement": ("agreement", "How far judges, rules and people agree; whether a judge passes."),
    "verify": ("verify", "Derive every key in the database again and compare."),
    "why": ("verify", "Why two requests are not the same: the fields that differ."),
    "doctor": ("doctor", "What is installed, which keys are set, what is missing."),
}


class Lazy(click.Group):
    """A group whose commands live in modules that are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"auditkit.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, "import_" if cmd_name == "import" else cmd_name)
        for parameter in command.params:  # variables are named after the option, which is what a user has seen
            flags = [flag for flag in parameter.opts if flag.startswith("--")]
            if flags and parameter.envvar is None:
                parameter.envvar = f"AUDITKIT_{cmd_name}_{flags[-1][2:]}".replace("-", "_").upper()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from auditkit.errors import unknown

            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Lazy,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
    },
    epilog="Start with:  auditkit run --dimension individualism --mode multilingual --limit 70",
)
@click.version_option(__version__, prog_name="auditkit")
def cli() -> None:
    """Audit the advice of large language models across cultures.

    A bank of binary-choice dilemmas is asked as people of 36 countries and in their languages; a judge says which side each
    reply took; everything is kept in one SQLite file. Without --model a small model answers on this machine: no key, no GPU.

    Stdout is data, stderr is progress. Exit codes: 0 complete, 1 incomplete (run it again), 2 something to mend, 130 interrupted.
    Every option can come from the environment: --db is AUDITKIT_DB for all commands, others are AUDITKIT_COMMAND_OPTION.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):  # a Windows console must not stop a run at the first Georgian letter
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")
    try:
        code = cli.main(args=arguments, prog_name="auditkit", standalone_mode=False)
    except AuditError as error:
        _complain(str(error))
        code = 2
    except sqlite3.DatabaseError as error:
        _complain(f"the database cannot be read or written: {error}; restore it from a copy, or name another with --db")
        code = 2
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        _complain(_usage(error))
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what was answered is kept", err=True)
        code = 130
    except BrokenPipeError:  # `auditkit status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str) -> None:
    # what a provider said is data: it must not act on the terminal
    shown = "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))
    click.echo(f"auditkit: {shown}", err=True)


def _usage(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"no such option {error.option_name}; did you mean {error.possibilities[0]}?"
    context = getattr(error, "ctx", None)
    hint = f" (see `{context.command_path} --help`)" if context is not None else ""
    return error.format_message().rstrip(".") + hint
