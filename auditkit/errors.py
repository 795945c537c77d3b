"""What can go wrong in ways that a user can mend.

AuditError                  one line, exit code 2, no traceback
 |- ContentError            a dilemma, country, persona or translation file is broken: says file, line and reason
 |- MissingExtra            a package of an optional extra is not installed: says what to install
 +- StoreError              the database cannot be opened, is locked, or is newer than this version
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AuditError(Exception):
    """Something a user can fix. The message is one line that says what to do."""


class ContentError(AuditError):
    """A content file is broken."""


class StoreError(AuditError):
    """The database cannot be used as it is."""


class MissingExtra(AuditError):  # noqa: N818  (what is missing is a package, not an error of ours)
    """A package that belongs to an optional extra is missing."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs a package that is not installed: pip install "auditkit[{extra}]"')


def unknown(kind: str, name: str, known: Iterable[str]) -> AuditError:
    """The error for a name that does not exist, with the nearest one that does.

    >>> str(unknown("mode", "personna", ["baseline", "persona"]))
    "unknown mode 'personna'; did you mean 'persona'?"
    """
    choices = sorted(set(known))
    folded = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    if near:
        hint = f"did you mean {folded[near[0]]!r}?"
    elif len(choices) <= 12:
        hint = "choose from " + ", ".join(choices)
    else:
        hint = f"one of {len(choices)}, such as " + ", ".join(choices[:5])
    return AuditError(f"unknown {kind} {name!r}; {hint}")
