"""The options of `auditkit plan --power`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from auditkit.errors import AuditError

LEVEL = 0.05

_HELP = {
    "target_r": "The correlation to be found, of shares without noise. Default .5.",
    "target_power": "The probability of finding it. Default .8.",
    "pilot": "Take the noise, and the length of replies, from this run of --db (by the beginning of its id).",
    "n_countries": "Number of countries. Default: those of the plan; more than the table holds is a question worth asking.",
    "family": "Number of tests that Holm's adjustment counts. Default: models x modes x dimensions of the plan.",
    "alpha50": "Reliability of country shares with 50 dilemmas and one sample. Default .6, or the pilot's.",
    "phi": "Part of the variance within a dilemma and country that further samples average out. Default .5, or the pilot's (which needs three samples a request).",
    "omega": "How much the dilemmas' own slopes add to the variance, at 50 dilemmas, in units of what 36 countries give. Default 0, or the pilot's.",
    "rate": "Calls a second, for the time. Default 5.",
}  # fmt: skip


def power_options(command: Any) -> Any:
    """The options of `plan --power`. Their defaults are None, so that one without --power can be told from one left out."""
    inside = click.FloatRange(0, 1, min_open=True, max_open=True)
    options = [
        click.option("--power", "power", is_flag=True, help="Say what a correlation needs: a grid of dilemmas x samples with calls, price, power and the smallest r that would be found."),
        click.option("--target-r", "target_r", type=inside, metavar="R", help=_HELP["target_r"]),
        click.option("--target-power", "target_power", type=click.FloatRange(LEVEL, 1, min_open=True, max_open=True), metavar="P", help=_HELP["target_power"]),
        click.option("--pilot", "pilot", metavar="RUN", help=_HELP["pilot"]),
        click.option("--countries", "n_countries", type=click.IntRange(min=4), metavar="J", help=_HELP["n_countries"]),
        click.option("--family", "family", type=click.IntRange(min=1), metavar="M", help=_HELP["family"]),
        click.option("--alpha50", "alpha50", type=click.FloatRange(0, 1, min_open=True), metavar="A", help=_HELP["alpha50"]),
        click.option("--phi", "phi", type=click.FloatRange(0, 1), metavar="F", help=_HELP["phi"]),
        click.option("--omega", "omega", type=click.FloatRange(0, 100), metavar="O", help=_HELP["omega"]),
        click.option("--rate", "rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help=_HELP["rate"]),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True)
class PowerWish:
    """What a user wants to know of power; None stands for a default that the plan or the pilot gives."""

    target_r: float
    target_power: float
    pilot: str | None
    n_countries: int | None
    family: int | None
    alpha50: float | None
    phi: float | None
    omega: float | None
    rate: float


def power_wish(options: dict[str, Any]) -> PowerWish | None:
    """Take the options of `power_options` out of a command's; None without --power.

    With it, all dimensions in persona mode are planned unless the user names others. Raises AuditError for an option of --power
    that is given without it.
    """
    taken = {name: options.pop(name) for name in _HELP}
    if not options.pop("power"):
        for name, value in taken.items():
            if value is not None:
                shown = {"n_countries": "countries"}.get(name, name).replace("_", "-")
                raise AuditError(f"--{shown} belongs to --power; add --power, or leave it out")
        return None
    options["dimensions"] = options["dimensions"] or ("all",)
    options["modes"] = options["modes"] or ("persona",)
    defaults = {"target_r": 0.5, "target_power": 0.8, "rate": 5.0}
    filled: dict[str, Any] = {name: defaults.get(name) if value is None else value for name, value in taken.items()}
    return PowerWish(**filled)
