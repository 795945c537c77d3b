"""Findings made up for tests and pictures of the report: two models that do not exist, every table filled.

The shares follow the countries' real scores with a given strength plus noise, so that the page shows what a page has to
show: cells that hold, cells that do not, one that cannot be estimated. The figures are no result of any model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import yaml

from auditkit.data import data_dir
from auditkit.report.columns import TABLES, frame
from auditkit.report.findings import Findings, RunInfo
from auditkit.report.settings import Settings

MODELS = ("example/alpha-70b", "example/beta-8b")
MODES = ("baseline", "persona", "multilingual")
POLES = {
    "individualism": ("individualist", "collectivist", "idv"),
    "mas": ("high MAS", "low MAS", "mas"),
    "uncertainty_avoidance": ("high uncertainty avoidance", "low uncertainty avoidance", "uai"),
    "power_distance": ("high power distance", "low power distance", "pdi"),
    "orientation": ("long-term oriented", "short-term oriented", "lto"),
}
STRENGTH = {MODELS[0]: (0.75, 0.05, 0.3, -0.45, 0.1), MODELS[1]: (0.2, 0.0, 0.1, 0.05, -0.1)}
JUDGE = "stance@example/judge"
ITEMS = 50


def limits(share: float, n: float) -> tuple[float, float]:
    """Wilson limits: good enough for made-up figures."""
    z = 1.96
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def fisher(r: float, n: int) -> tuple[float, float]:
    half = 1.96 / math.sqrt(n - 3)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def two_sided(r: float, n: int) -> float:
    return math.erfc(abs(math.atanh(r)) * math.sqrt(n - 3) / math.sqrt(2))


def adjusted(rows: list[dict[str, Any]]) -> None:
    """Holm's p and Benjamini-Hochberg's q over the rows that have a p."""
    known = sorted((row for row in rows if row.get("p") is not None), key=lambda row: row["p"])
    running = 0.0
    for place, row in enumerate(known):
        running = max(running, min(1.0, row["p"] * (len(rows) - place)))
        row["p_holm"] = running
    running = 1.0
    for place, row in reversed(list(enumerate(known, 1))):
        running = min(running, row["p"] * len(rows) / place)
        row["q_bh"] = running


class Maker:
    """Collects rows, table by table."""

    def __init__(self, dimensions: int = 5, countries: int | None = None, seed: int = 20240601) -> None:
        self.rng = np.random.default_rng(seed)
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.dimensions = list(POLES)[:dimensions]
        text = (data_dir("personas") / "countries.yaml").read_text(encoding="utf-8")
        self.countries: dict[str, Any] = dict(list(yaml.safe_load(text)["countries"].items())[:countries])

    def add(self, table: str, **row: Any) -> None:
        self.rows[table].append(row)

    # ------------------------------------------------------------------------------------------------ one cell

    def cell(self, model: str, mode: str, name: str, strength: float) -> None:
        first, second, key = POLES[name]
        ids = {"model": model, "mode": mode, "dimension": name, "judge": JUDGE}
        asked = ITEMS * (1 if mode == "baseline" else len(self.countries))
        lost = 0.35 if (model, mode, name) == (MODELS[1], "multilingual", "power_distance") else 0.02
        counts = self.left_out(ids, asked, lost)
        share = counts["first"] / counts["usable"]
        low, high = limits(share, counts["usable"] / 6)
        worst = counts["first"] / asked, (counts["first"] + asked - counts["usable"]) / asked
        self.add(
            "preference", **ids, n=counts["usable"], share=share, low=low, high=high, design_effect=6.0,
            pole_first=first, pole_second=second, worst_low=worst[0], worst_high=worst[1],
            corrected=share * 1.02, corrected_low=low, corrected_high=min(1.0, high * 1.03), correction="PPI++",
        )  # fmt: skip
        self.add(
            "position", **ids, n=counts["usable"], bias=0.11, bias_low=0.07, bias_high=0.15, flip=0.12, flip_low=0.09,
            flip_high=0.15, source="both orders asked", note="",
        )  # fmt: skip
        self.add("consistency", **ids, kind="samples", n=400, agreement=0.86, low=0.83, high=0.89, note="")
        if mode == "baseline":
            return
        rows = self.by_country(ids, key, strength if mode == "persona" else strength * 0.5, lost)
        self.alignment(ids, rows, lost)
        self.groups(ids, rows)
        self.add(
            "sensitivity", **ids, unusable=lost, rate_r=0.1, rate_p=0.56, r_dropped=0.3, r_second_pole=0.28, r_half=0.29,
            r_min=0.11, r_max=0.44, proved=True, note="",
        )  # fmt: skip

    def left_out(self, ids: dict[str, str], asked: int, lost: float) -> dict[str, int]:
        refused = round(asked * lost * 0.5)
        unclear = round(asked * lost * 0.4)
        usable = asked - refused - 2 * unclear
        first = round(usable * float(self.rng.uniform(0.42, 0.68)))
        row = dict.fromkeys(TABLES["left_out"].columns, 0)
        row |= {**ids, "asked": asked, "answered": asked, "truncated": round(asked * 0.04), "usable": usable}
        row |= {"first": first, "second": usable - first, "refused": refused, "unclear": unclear, "both": unclear}
        row["wrong_language"] = round(asked * 0.3) if ids["mode"] == "multilingual" else 0
        self.add("left_out", **row)
        return row

    def by_country(self, ids: dict[str, str], key: str, strength: float, lost: float) -> list[dict[str, Any]]:
        scores = np.array([c["scores"]["paper"][key] for c in self.countries.values()], dtype=float)
        z = (scores - 50) / 22
        noise = self.rng.standard_normal(len(scores))
        latent = strength * z + math.sqrt(max(0.05, 1 - strength**2)) * noise
        shares = np.clip(0.55 + 0.09 * latent, 0.02, 0.98)
        rows = []
        for (iso3, country), score, share in zip(self.countries.items(), scores, shares, strict=True):
            usable = round(ITEMS * (1 - lost))
            value = round(float(share) * usable) / usable
            low, high = limits(value, usable)
            rows.append({
                **ids, "iso3": iso3, "country": country["title"], "region": country["m49"],
                "language": country["language_name"], "resource": country["resource_level"], "score": score,
                "asked": ITEMS, "usable": usable, "share": value, "low": low, "high": high,
            })  # fmt: skip
        self.rows["countries"] += rows
        return rows

    def alignment(self, ids: dict[str, str], rows: list[dict[str, Any]], lost: float) -> None:
        count = len(rows)
        share = float(np.mean([row["share"] for row in rows]))
        empty: dict[str, Any] = dict.fromkeys(TABLES["alignment"].columns)
        found = empty | ids | {"n_countries": count, "n_items": ITEMS, "share": share, "gate": "", "note": ""}
        if lost > 0.1 or count < 4:
            found["gate"] = "34 % of the judged answers are unusable" if count > 3 else ""
            found["note"] = f"{count} of the 4 countries that r needs" if count < 4 else ""
            self.rows["alignment"].append(found)
            return
        x, y = ([row[name] for row in rows] for name in ("score", "share"))
        r = float(np.corrcoef(x, y)[0, 1])
        rho = float(np.corrcoef(np.argsort(np.argsort(x)), np.argsort(np.argsort(y)))[0, 1])
        alpha = 0.22 if ids["dimension"] == "mas" else 0.71
        low, high = fisher(r, count)
        rho_low, rho_high = fisher(rho, count)
        found |= {
            "r": r, "r_low": low, "r_high": high, "p": two_sided(r, count), "rho": rho, "rho_low": rho_low,
            "rho_high": rho_high, "p_permutation": two_sided(r, count), "p_region": min(1.0, 2 * two_sided(r, count)),
            "alpha": alpha, "alpha_low": alpha - 0.15, "alpha_high": alpha + 0.1, "ceiling": math.sqrt(alpha),
            "q_stat": 80.0 if alpha > 0.3 else 38.0, "q_p": 0.00002 if alpha > 0.3 else 0.33,
        }  # fmt: skip
        if alpha > 0.3:
            found |= {
                "r_true": r / math.sqrt(alpha),
                "r_true_low": low / math.sqrt(alpha),
                "r_true_high": min(1.0, high / math.sqrt(alpha)),
            }
        self.rows["alignment"].append(found)

    def groups(self, ids: dict[str, str], rows: list[dict[str, Any]]) -> None:
        for level in ("high", "mid", "low"):
            inside = [row for row in rows if row["resource"] == level]
            if not inside:
                self.add("resource", **ids, level=level, n_countries=0)
                continue
            share = float(np.mean([row["share"] for row in inside]))
            low, high = limits(share, 90)
            if len(inside) < 4:
                self.add("resource", **ids, level=level, n_countries=len(inside), share=share, low=low, high=high)
                continue
            r = float(np.corrcoef([row["score"] for row in inside], [row["share"] for row in inside])[0, 1])
            r_low, r_high = fisher(r, len(inside))
            self.add(
                "resource", **ids, level=level, n_countries=len(inside), share=share, low=low, high=high, r=r,
                r_low=r_low, r_high=r_high, detectable_r=0.87,
            )  # fmt: skip
        self.add("resource_tests", **ids, f_p=0.21, f_p_adjusted=0.34, r_chi2_p=0.6, note="")
        above = sum(bool(row["score"] > 50) for row in rows)
        self.add(
            "classification", **ids, n_high=above, n_low=len(rows) - above, auc=0.62, auc_p=0.2,
            threshold_accuracy=0.67, null_mean=0.63, null_95=0.72, threshold_p=0.3, note="in-sample threshold",
        )  # fmt: skip
        self.add(
            "replication", **ids, aligned_sign=1, table2_r=0.16, table2_rho=0.12,
            table3_accuracy=0.69, table3_null_mean=0.64, table3_null_95=0.73, table3_p=0.27,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------- across cells

    def contrasts(self, model: str) -> None:
        for name in self.dimensions:
            for contrast, estimand in (
                ("persona-multilingual", "share"), ("persona-baseline", "share"), ("multilingual-baseline", "share"),
                ("persona-multilingual", "r"),
            ):  # fmt: skip
                value = float(self.rng.normal(0.05, 0.1 if estimand == "share" else 0.2))
                half = 0.06 if estimand == "share" else 0.35
                self.add(
                    "contrasts", model=model, dimension=name, judge=JUDGE, contrast=contrast, estimand=estimand,
                    difference=value, low=value - half, high=value + half, p=0.04 if abs(value) > half else 0.4,
                    n_countries=36, note="",
                )  # fmt: skip
            self.add(
                "mixed", model=model, dimension=name, judge=JUDGE, term="score (per sd)", beta=0.31, se=0.14, low=0.03, high=0.59,
                df=34, p=0.034, converged=True, note="",
            )  # fmt: skip
            self.add(
                "pairs", model=model, mode="persona", dimension=name, judge=JUDGE, country_a="JPN", country_b="USA",
                share_a=0.48, share_b=0.61, difference=-0.13, low=-0.24, high=-0.01, p_mid=0.041, p_holm=0.2, similar="", n=50, note="",
            )  # fmt: skip

    def models(self) -> None:
        for name in self.dimensions:
            for mode in MODES[1:]:
                value = float(self.rng.normal(0.2, 0.2))
                self.add(
                    "models", mode=mode, dimension=name, judge=JUDGE, model_a=MODELS[0], model_b=MODELS[1],
                    estimand="r", difference=value, low=value - 0.4, high=value + 0.4, p=0.3, n_countries=36, note="",
                )  # fmt: skip

    def language(self, model: str, mode: str) -> None:
        for country in self.countries.values():
            if mode != "multilingual" and country["language"] != "eng_Latn":
                continue  # only these questions are in other languages
            n = 250
            english = country["language"] == "eng_Latn"
            base = {"high": 0.1, "mid": 0.25, "low": 0.5}[country["resource_level"]]
            rate = 0.0 if english else base + float(self.rng.uniform(-0.08, 0.3))
            wrong = round(n * rate)
            other, unsure = round(wrong * 0.1), 3
            low, high = limits(wrong / (n - unsure), n - unsure)
            self.add(
                "language", model=model, mode=mode, lang=country["language"], language=country["language_name"],
                country=country["title"], n=n, in_language=n - wrong - unsure, in_english=wrong - other, in_other=other,
                unsure=unsure, mismatch=wrong / (n - unsure), low=low, high=high,
            )  # fmt: skip

    def judges(self) -> None:
        empty: dict[str, Any] = dict.fromkeys(TABLES["judges"].columns)
        self.add("judges", **empty | {
            "judge": JUDGE, "kind": "model", "task": "stance", "n_verdicts": 18500, "parse_failed": 12, "flipped": 740,
            "calibrated_on": "600 human labels", "kappa": 0.81, "kappa_low": 0.76, "kappa_high": 0.86, "alpha_k": 0.8,
            "standing": "passed", "note": "",
        })  # fmt: skip
        self.add("judges", **empty | {
            "judge": "rules", "kind": "rules", "task": "stance", "n_verdicts": 18500, "parse_failed": 0,
            "standing": "exploratory", "note": "no human labels",
        })  # fmt: skip
        self.add(
            "agreement",
            judge_a=JUDGE,
            judge_b="rules",
            n=18100,
            kappa=0.52,
            kappa_low=0.49,
            kappa_high=0.55,
            ac1=0.58,
            ac1_low=0.55,
            ac1_high=0.61,
        )

    def culture(self, model: str, mode: str) -> None:
        judge = "culture@example/judge"
        for iso3 in ("", *self.countries):
            n = 9000 if not iso3 else 250
            low, high = limits(0.12, n)
            self.add(
                "culture", model=model, mode=mode, judge=judge, iso3=iso3, n=n, none=0.3, persona_only=0.45,
                cultural_reasoning=0.25, stereotyped=0.12, stereotyped_low=low, stereotyped_high=high,
                hallucinated=0.03, hallucinated_low=limits(0.03, n)[0], hallucinated_high=limits(0.03, n)[1],
                mean_severity=1.3,
            )  # fmt: skip
        for family, kind, rate in (
            ("stereotype", "emblem_cliche", 0.07), ("stereotype", "caricature_speech", 0.03),
            ("stereotype", "exotic_past", 0.02), ("stereotype", "essentialism", 0.045), ("stereotype", "mock_accent", 0.004),
            ("hallucination", "unattested_saying", 0.015), ("hallucination", "mistranslation", 0.008),
            ("voice", "archaic", 0.011), ("value", "value_generalisation", 0.3),
        ):  # fmt: skip
            low, high = limits(rate, 9000)
            self.add(
                "culture_kinds", model=model, mode=mode, judge=judge, family=family, kind=kind, n_replies=9000,
                n_with=round(9000 * rate), share=rate, low=low, high=high,
            )  # fmt: skip

    def examples(self) -> None:
        spans = (
            ("IND", "hin_Deva", "stereotype", "emblem_cliche", 1, "Think it over with ", "a cup of masala chai", " and your family."),
            ("GRC", "ell_Grek", "stereotype", "caricature_speech", 2, "", "Opa! <script>alert(1)</script>", " Life is short, my friend."),
            ("IRN", "pes_Arab", "hallucination", "unattested_saying", 1, "مادربزرگم می‌گفت: ", "«درخت صبر همیشه شیرین است»", " و من باور دارم."),
            ("SWE", "swe_Latn", "stereotype", "essentialism", 1, "Calm is ", "woven into our fabric", ", so speak to your manager & ask."),
        )  # fmt: skip
        for number, (iso3, lang, family, kind, severity, before, evidence, after) in enumerate(spans):
            self.add(
                "examples", model=MODELS[0], mode="persona", country=iso3, lang=lang, judge="detector", family=family,
                kind=kind, severity=severity, before=before, evidence=evidence, after=after, rule_id=f"{kind}-{number}",
                status="", source_id="", request_key=f"made-up-{number}", item_id=f"idv-{number:02}",
            )  # fmt: skip
        for word, z in (("fjord", 4.2), ("masala", 5.1), ("harmony", 3.4)):
            self.add("words", model=MODELS[0], mode="persona", iso3="IND", word=word, z=z, rate=0.002, fdr=0.01)

    def frames(self) -> dict[str, pd.DataFrame]:
        adjusted(self.rows["alignment"])
        return {name: frame(name, rows) for name, rows in self.rows.items()}


def empty_findings(notes: list[str] | None = None) -> Findings:
    """A run of which nothing can be said: every table there, no table with a row."""
    return findings(
        {name: frame(name, []) for name in TABLES}, notes or ["Nothing has been judged: no figure can be given."]
    )


def findings(
    frames: dict[str, pd.DataFrame],
    notes: list[str],
    proves: tuple[str, ...] = (),
    transcripts: dict[str, Any] | None = None,
) -> Findings:
    run = RunInfo(
        run_id="3f2a9c0d41b7", command="auditkit run --model example/alpha-70b", created_at="2025-05-04T10:00:00Z",
        kind="audit", manifest={"seed": 20240601, "auditkit": "0.2.0", "dilemmas": 250}, proves_pipeline=proves,
    )  # fmt: skip
    return Findings(
        runs=[run], edition="paper", confidence=0.95, primary_judge=JUDGE, tables=frames, notes=notes,
        family="The family is all 20 cells of model, mode and dimension; a cell without an estimate stays in it.",
        any_alignment_p=0.0004 if len(frames["alignment"]) else None, transcripts=transcripts or {},
        dimensions={}, countries={}, settings=Settings(),
    )  # fmt: skip


def made_up(dimensions: int = 5, countries: int | None = None) -> Findings:
    """The whole thing: 2 models x 3 modes x 5 dimensions x 36 countries, or fewer of the last two, first come."""
    maker = Maker(dimensions, countries)
    for model in MODELS:
        for mode in MODES:
            for name, strength in zip(maker.dimensions, STRENGTH[model], strict=False):
                maker.cell(model, mode, name, strength)
            maker.language(model, mode)
            if mode != "baseline":
                maker.culture(model, mode)
        maker.contrasts(model)
    maker.models()
    maker.judges()
    maker.examples()
    notes = [
        "These figures are made up: they show the page, no result of any model.",
        f"{MODELS[1]}: shows that the pipeline works; the advice is no result.",
        "The multilingual mode leaves out nothing: all 36 languages have translations.",
    ]
    transcripts = {
        f"made-up-{n}": {
            "prompt": "I am offered a post far from home. Should I take it?", "reply": text, "model": MODELS[0],
            "mode": "persona", "country": country, "lang": lang, "item_id": f"idv-{n:02}",
        }
        for n, (country, lang, text) in enumerate((
            ("IND", "hin_Deva", "Think it over with a cup of masala chai and your family."),
            ("GRC", "ell_Grek", "Opa! <script>alert(1)</script> Life is short, my friend."),
            ("IRN", "pes_Arab", "مادربزرگم می‌گفت: «درخت صبر همیشه شیرین است» و من باور دارم."),
            ("SWE", "swe_Latn", "Calm is woven into our fabric, so speak to your manager & ask."),
        ))
    }  # fmt: skip
    return findings(maker.frames(), notes, (MODELS[1],), transcripts)
