"""What `auditkit plan --power` prints: the grid of dilemmas x samples with price and power, and what binds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from rich.text import Text

from auditkit.cli.dry_run import REPLY, dollars
from auditkit.cli.power import LEVEL, PowerWish
from auditkit.cli.progress import duration
from auditkit.cli.render import number, table
from auditkit.errors import AuditError
from auditkit.plan import estimate_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from auditkit.cli.run import Session
    from auditkit.stats.power import Noise

DILEMMAS = (10, 25, 50, 100, 200)
SAMPLES = (1, 3, 5)
LABELS = 150  # people's labels a stratum; docs/methods.md, "Correcting a share for the judge"
_TEXTS = 720  # requests whose length stands for all: a plan's first cells are an even draw over countries and dilemmas


# --------------------------------------------------------------------------------------------------------------- costs


@dataclass(frozen=True)
class Cost:
    """Calls, tokens and dollars of a design. unpriced: whether a model among them has no known price."""

    calls: int
    tokens: float
    usd: float
    unpriced: bool

    def price(self) -> str:
        """In words; unknown prices are said, never counted as free."""
        if self.unpriced:
            return f"${self.usd:,.2f} + unpriced" if self.usd else "unpriced"
        return f"${self.usd:,.2f}" if self.usd else "free"


class Pricing:
    """What one dilemma asked once of everybody costs, by the plan of a session."""

    def __init__(self, session: Session, n_countries: int, reply_tokens: Mapping[str, float]) -> None:
        plan, spec = session.plan, session.plan.spec
        wordings = (len(spec.templates) or 1) * (2 if spec.orders == "both" else 1)
        places = {"baseline": 1, "multilingual": n_countries, "persona": n_countries, "crossed": n_countries}
        orders = 2 if spec.orders == "both" else 1
        self.requests = sum(places[m] * (wordings if m in ("persona", "crossed") else orders) for m in spec.modes)
        self.requests *= len(spec.dimensions)
        lengths = [
            sum(estimate_tokens(message["content"]) + 8 for message in cell.body["messages"])
            for cell in islice(plan.cells(), _TEXTS)
        ]
        tokens_in = sum(lengths) / len(lengths)
        from auditkit.judge.names import RulesJudge

        self.parts: list[tuple[Any, float, float, float]] = []  # model, calls a request, tokens in and out a call
        for model in spec.models:
            most = float(model.params.get("max_tokens") or 4_096)
            self.parts.append((model, 1.0, tokens_in, reply_tokens.get(model.name, most)))
        replies = len(spec.models)
        for judges, share in ((session.panel.first, 1.0), (session.panel.second, session.panel.share)):
            for judge in judges:
                if not isinstance(judge, RulesJudge):
                    calls = share * replies * len(judge.presentations)
                    tokens = judge.frame_tokens() + REPLY + tokens_in
                    self.parts.append((judge.spec, calls, tokens, float(judge.answer_tokens)))

    def of(self, prompts: int, samples: int) -> Cost:
        """A design's cost."""
        asked = self.requests * prompts * samples
        calls = tokens = usd = 0.0
        unpriced = False
        for model, each, tokens_in, tokens_out in self.parts:
            n = asked * each
            calls, tokens = calls + n, tokens + n * (tokens_in + tokens_out)
            cost = dollars(model, n * tokens_in, n * tokens_out)
            unpriced |= cost is None
            usd += cost or 0.0
        return Cost(math.ceil(calls), tokens, usd, unpriced)


# -------------------------------------------------------------------------------------------------------------- output


@dataclass(frozen=True)
class Row:
    """One design of the grid. `power`, `smallest` and `lacks` are of one test, `holm` is the power of Holm's first step."""

    prompts: int
    samples: int
    cost: Cost
    reliability: float
    power: float
    holm: float
    smallest: float | None
    lacks: str


def print_power(session: Session, wish: PowerWish) -> int:
    """The grid of designs, what binds, and the cheapest one that reaches the target."""
    spec, out = session.plan.spec, session.out
    modes = [mode for mode in spec.modes if mode != "baseline"]
    if not modes:
        raise AuditError("--power needs a mode with countries: persona, multilingual or crossed")
    here = {who.country for block in session.plan.blocks for who in block.who if who.country}
    n_countries = wish.n_countries or len(here)
    if n_countries < 4:
        raise AuditError(
            f"--power needs four countries, but the plan has {n_countries}; name more, or give --countries J"
        )
    noise, lengths = _noise(session, wish)
    family = wish.family or len(spec.models) * len(modes) * len(spec.dimensions)
    pricing = Pricing(session, n_countries, lengths)
    rows = grid(noise, wish, n_countries, family, pricing, sorted({*SAMPLES, spec.samples}))
    best = _cheapest([row for row in rows if row.power >= wish.target_power])
    best_holm = _cheapest([row for row in rows if row.holm >= wish.target_power])

    shown = table(f"Power to find r = {number(wish.target_r)} with {n_countries} countries")
    left_out = ("tokens", "time", "alpha") if out.width < 100 else ()
    heads = ("", "dilemmas x samples", "calls", "tokens", "price", "time", "alpha", "power", f"Holm {family}", "smallest r", "lacks")  # fmt: skip
    for head in heads:
        if head not in left_out:
            shown.add_column(head, justify="left" if head in ("", "lacks") else "right", overflow="fold")
    for row in rows:
        mark = "*" * (row is best) + "H" * (row is best_holm and family > 1)
        values = (
            mark, f"{row.prompts} x {row.samples}", f"{row.cost.calls:,}", _compact(row.cost.tokens), row.cost.price(),
            duration(row.cost.calls / wish.rate), number(row.reliability), number(row.power), number(row.holm),
            number(row.smallest), row.lacks or "nothing",
        )  # fmt: skip
        fitting = [value for head, value in zip(heads, values, strict=True) if head not in left_out]
        shown.add_row(*fitting, style="bold" if mark else "")
    out.print(shown)
    _print_bars(session, [row for row in rows if row.samples == 1], wish.target_power)
    tests = [("one test", LEVEL, best)]
    if family > 1:
        tests.append((f"Holm over {family}", LEVEL / family, best_holm))
    for label, level, found in tests:
        out.print(Text(f"{label}: ", style="bold") + Text(advice(noise, wish, n_countries, level, found)))
    out.print("\n".join(_notes(session, wish, n_countries, modes, lengths)), style="dim", highlight=False, markup=False)
    return 0


def grid(
    noise: Noise, wish: PowerWish, n_countries: int, family: int, pricing: Pricing, samples: list[int]
) -> list[Row]:
    """The designs, dilemmas within samples."""
    from auditkit.stats.power import binding_constraint, detectable_rho, power

    rows = []
    for s in samples:
        for k in DILEMMAS:
            design = {"countries": n_countries, "prompts": k, "samples": s}
            rows.append(
                Row(
                    prompts=k,
                    samples=s,
                    cost=pricing.of(k, s),
                    reliability=noise.reliability(k, s),
                    power=power(wish.target_r, noise, **design, level=LEVEL),
                    holm=power(wish.target_r, noise, **design, level=LEVEL / family),
                    smallest=detectable_rho(noise, **design, level=LEVEL, target=wish.target_power),
                    lacks=binding_constraint(wish.target_r, noise, **design, level=LEVEL, target=wish.target_power),
                )
            )
    return rows


def advice(noise: Noise, wish: PowerWish, n_countries: int, level: float, cheapest: Row | None) -> str:
    """The cheapest design in words, or what it would take."""
    from auditkit.stats.power import countries_needed, power, prompts_needed

    if cheapest is not None:
        cost = cheapest.cost
        many = "samples" if cheapest.samples > 1 else "sample"
        return f"cheapest with {cheapest.prompts} dilemmas x {cheapest.samples} {many}: {cost.calls:,} calls, {cost.price()}"
    aim = {"level": level, "target": wish.target_power}
    with_50 = countries_needed(wish.target_r, noise, prompts=50, **aim)
    dilemmas = prompts_needed(wish.target_r, noise, countries=n_countries, **aim)
    if dilemmas is not None:
        return f"not within this grid; it takes {dilemmas:,} dilemmas, or {_count(with_50)} countries with 50"
    ceiling = power(wish.target_r, noise, countries=n_countries, prompts=math.inf, level=level)
    noiseless = countries_needed(wish.target_r, noise, prompts=math.inf, **aim)
    return (
        f"unreachable with {n_countries} countries: endless dilemmas give power {number(ceiling)}; "
        f"it takes {_count(noiseless)} countries, or {_count(with_50)} with 50 dilemmas"
    )


def _noise(session: Session, wish: PowerWish) -> tuple[Noise, Mapping[str, float]]:
    """The noise to plan with, its sources printed, and mean reply tokens by model where a pilot knows them."""
    from auditkit.stats.power import Noise

    assumed = Noise()
    pilot = None
    if wish.pilot is not None:
        from auditkit.pilot import measure_pilot
        from auditkit.store import Store

        db: Path = session.options["db"]
        with Store.read(db) as store:
            pilot = measure_pilot(
                store, wish.pilot, session.options["edition"], assumed.phi if wish.phi is None else wish.phi
            )
    parts, chosen = [], {}
    for name, title in (("alpha50", "reliability of 50 dilemmas"), ("phi", "phi"), ("omega", "omega")):
        value, source = getattr(assumed, name), "assumed"
        if pilot is not None and (measured := getattr(pilot.noise, name)) is not None:
            value, source = measured, "pilot"
        if (given := getattr(wish, name)) is not None:
            value, source = given, "given"
        chosen[name] = value
        parts.append(f"{title} {number(value)} ({source})")
    if not chosen["alpha50"]:
        raise AuditError(
            "in the pilot countries differ by no more than noise, so it plans nothing; give --alpha50 A to assume more"
        )
    if pilot is not None:
        session.out.print(
            f"pilot {pilot.run_id}, read by {pilot.judge}: {pilot.noise.n_used} of {pilot.noise.n_cells} cells tell; the least "
            f"reliability is {number(pilot.noise.lowest)}",
            highlight=False,
            markup=False,
        )
    session.out.print("Noise: " + ", ".join(parts), highlight=False)
    return Noise(**chosen), {} if pilot is None else pilot.reply_tokens


def _cheapest(rows: list[Row]) -> Row | None:
    """By known dollars, then calls, then dilemmas."""
    return min(rows, key=lambda row: (row.cost.usd, row.cost.calls, row.prompts), default=None)


def _print_bars(session: Session, rows: list[Row], target: float) -> None:
    """Power against dilemmas, one sample each; the line is the target."""
    width = 40
    session.out.print("Power with one sample each, | the target", style="bold", highlight=False)
    for row in rows:
        bar = list("█" * round(row.power * width) + " " * (width - round(row.power * width)))
        bar[min(width - 1, round(target * width))] = "|"
        session.out.print(f"{row.prompts:>5} {''.join(bar)} {number(row.power)}", highlight=False, markup=False)


def _notes(
    session: Session, wish: PowerWish, n_countries: int, modes: list[str], lengths: Mapping[str, float]
) -> list[str]:
    """What the figures mean and what they leave out."""
    plan = session.plan
    held = {block.mode: min(Counter(d.dimension for d in block.dilemmas).values()) for block in plan.blocks}
    few = ", ".join(f"{held[mode]} in {mode} mode" for mode in modes if mode in held)
    known = len(plan.content.countries)
    levels = {country.resource_level for country in plan.content.countries.values()}
    strata = sum(1 if mode == "persona" else len(levels) for mode in modes)
    labels = f"{LABELS * strata * len(plan.spec.models):,}"
    measured = all(model.name in lengths for model in plan.spec.models)
    notes = [
        f"power: two-sided test at {LEVEL:g}; Holm: the first step of its adjustment; alpha: reliability of country shares.",
        f"smallest r: the true correlation that one test finds with probability {number(wish.target_power)}.",
        "lacks: what would be enough for one test if there were plenty of it: samples, else dilemmas as well, else only countries help.",
        "* cheapest for one test, H for Holm.",
        f"The bank holds {few} for each dimension; rows beyond that need dilemmas of your own (--prompts).",
        f"Before r is claimed, people should label {LABELS} replies of each model a stratum (mode x resource level): {labels} here.",
        "Tokens are estimated; replies count " + ("as in the pilot." if measured else "at their token limit."),
        f"Time is that of {wish.rate:g} calls a second. Nothing was asked.",
    ]
    if any(model.params.get("temperature") == 0 for model in plan.spec.models):
        notes.append("More than one sample needs a temperature above 0, for example --param temperature=0.7.")
    if n_countries > known:
        notes.append(
            f"The country table holds {known} countries; {n_countries - known} more are yours to add (--personas)."
        )
    return notes


def _count(value: int | None) -> str:
    return "more than 10,000" if value is None else str(value)


def _compact(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f}"
