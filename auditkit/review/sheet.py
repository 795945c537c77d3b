"""Pages for a browser: one transcript for scripts that a terminal cannot order, and a review sheet that works by itself.

A page fetches nothing and runs no script but its own, which its content policy names by hash. Text of a reply is escaped, each piece
in an element of its own with the direction of its script.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from auditkit import __version__
from auditkit.review.case import Case, Flag, Wording, load_case
from auditkit.review.form import MULTIPLE, TITLES, Form
from auditkit.review.labels import HALLUCINATIONS, OUTCOMES, SINGLE, STEREOTYPES
from auditkit.review.queue import Entry, Scope
from auditkit.review.transcript import right_to_left, segments, shown, tags
from auditkit.store import Store

_HERE = Path(__file__).parent


def transcript_page(form: Form) -> str:
    """The transcript on screen as a page, with what the reviewer may see of it and nothing else."""
    flags = () if form.unseen else form.case.flags
    body = _transcript(form.case, flags, country=form.country_shown, heading=form.case.item_id)
    return _page(form.case.item_id, f"<main>{body}{_flag_table(flags)}</main>")


def translation_page(title: str, texts: Iterable[tuple[str, str, str]]) -> str:
    """Texts under headings, each as (heading, language tag, text)."""
    body = "".join(f"<h3>{escape(heading)}</h3>{_text(text, lang)}" for heading, lang, text in texts)
    return _page(title, f"<main><article><h2>{escape(title)}</h2>{body}</article></main>")


def review_sheet(store: Store, scope: Scope, entries: Sequence[Entry]) -> str:
    """One page with a form for each reply. It keeps the answers in the browser and gives them back as a file."""
    script = (_HERE / "sheet.js").read_text(encoding="utf-8")
    articles = []
    for number, entry in enumerate(entries, 1):
        case = load_case(store, scope.run_id, entry.request_key)
        flags = () if scope.blind else case.flags
        heading = f"{number} of {len(entries)} · {case.item_id}"
        text = _transcript(case, flags, country=not scope.blind, heading=heading)
        fields = "".join(_fieldset(case, name, f"q{number}") for name in scope.fields)
        note = '<label class="note">Note <textarea data-field="note" rows="2"></textarea></label>'
        articles.append(
            f'<section class="reply" data-key="{escape(case.request_key)}">{text}{_flag_table(flags)}'
            f'<form autocomplete="off">{fields}{note}</form></section>'
        )
    about = {
        "run_id": scope.run_id,
        "sample_id": scope.sample_id,
        "blind": scope.blind,
        "reviewer": scope.reviewer,
        "fields": scope.fields,
    }
    top = (
        f"<header id=\"top\" data-about='{escape(json.dumps(about), quote=True)}'><strong>auditkit review</strong>"
        f'<label>Reviewer <input id="reviewer" value="{escape(scope.reviewer)}"></label>'
        '<progress id="bar" value="0"></progress><span id="done"></span>'
        '<button id="json">Download labels</button><button id="csv">as CSV</button></header>'
        "<noscript><p>This sheet keeps and downloads your answers with a script of its own: allow it.</p></noscript>"
    )
    return _page("auditkit review", f"{top}<main>{''.join(articles)}</main>", script)


# -------------------------------------------------------------------------------------------------------------- pieces


def _transcript(case: Case, flags: Sequence[Flag], *, country: bool, heading: str) -> str:
    parts = [f"<article><h2>{escape(shown(heading))}</h2>"]
    if country:
        place = " · ".join(part for part in (case.mode, case.country, case.language, case.model) if part)
        parts.append(f'<p class="where">{escape(shown(place))}</p>')
        if case.persona:
            parts.append(f"<h3>Persona</h3>{_text(case.persona, case.lang)}")
    parts += ["<h3>Dilemma</h3>", _dilemma(case.english, "eng_Latn")]
    if case.translated:
        parts += ["<details><summary>as it was sent</summary>", _dilemma(case.asked, case.lang), "</details>"]
    cut = " (cut off by the token limit)" if case.truncated else ""
    parts += [f"<h3>Reply{cut}</h3>", _text(case.reply, case.lang, flags, css="said")]
    back = [(tag, flag.back) for flag, tag in zip(flags, tags(flags).values(), strict=True) if flag.back]
    if back:
        parts += ["<h3>Back-translation</h3>", *(_text(f"{tag}  {text}", "eng_Latn") for tag, text in back)]
    return "".join([*parts, "</article>"])


def _dilemma(wording: Wording, lang: str) -> str:
    options = "".join(f"<li>{_text(text, lang)}</li>" for _, text in wording.options)
    return f"{_text(' '.join(wording.scenario), lang)}<ol>{options}</ol>"


def _text(text: str, lang: str, flags: Sequence[Flag] = (), css: str = "") -> str:
    """A text in an element of its own: escaped, inert, with its direction and language, flagged spans marked."""
    tag = tags(flags)
    parts = []
    for segment in segments(text, flags):
        inner = escape(segment.text)
        for flag in reversed(segment.opening):
            inner = f"<sup>{tag[flag.flag_id]}</sup>{inner}"
        if segment.flags:
            inner = f'<mark class="{escape(segment.flags[-1].family)}">{inner}</mark>'
        parts.append(inner)
    direction = "rtl" if right_to_left(text) else "ltr"
    code = lang.replace("_", "-")
    return f'<div class="text {css}" dir="{direction}" lang="{escape(code)}">{"".join(parts)}</div>'


def _flag_table(flags: Sequence[Flag]) -> str:
    tag = tags(flags)
    rows = "".join(
        f"<tr><th>{tag[f.flag_id]}</th><td>{escape(f.kind.replace('_', ' '))}</td><td>{f.severity or ''}</td>"
        f"<td>{escape(shown(f.judge))}</td><td>{escape(shown(f.note))}</td></tr>"
        for f in flags
    )
    return f"<table>{rows}</table>" if rows else ""


def _fieldset(case: Case, name: str, prefix: str) -> str:
    """The answers on offer for a field; what is ticked is read by the page's script from `value` and `data-severity`."""
    kind = "checkbox" if name in MULTIPLE else "radio"
    if name == "stance":
        offered = [(o, text) for o, text in case.english.options] + [(o, o.replace("_", " ")) for o in OUTCOMES]
    else:
        values = {"stereotype": ("none", *STEREOTYPES), "hallucination": ("none", *HALLUCINATIONS)}.get(name)
        offered = [(value, value.replace("_", " ")) for value in values or SINGLE[name]]
    boxes = []
    for value, text in offered:
        levels = ""
        if name == "stereotype" and value != "none":
            choices = "".join(f"<option>{level}</option>" for level in (1, 2, 3))
            levels = f' <select aria-label="severity of {escape(text)}">{choices}</select>'
        boxes.append(
            f'<span><label><input type="{kind}" name="{prefix}-{name}" value="{escape(value)}">'
            f" {escape(shown(text))}</label>{levels}</span>"
        )
    doubt = '<label class="doubt"><input type="checkbox" class="uncertain"> uncertain</label>'
    return f'<fieldset data-field="{name}"><legend>{TITLES[name]}</legend>{"".join(boxes)}{doubt}</fieldset>'


def _page(title: str, body: str, script: str = "") -> str:
    style = (_HERE / "sheet.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"'sha256-{digest}'" if script else "'none'"
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html><html lang="en" dir="ltr"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="generator" content="auditkit {__version__}"><title>{escape(shown(title))}</title>'
        f"<style>{style}</style></head><body>{body}{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )
