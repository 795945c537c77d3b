"""Replies and labels that were made elsewhere, brought into the same store.

`layout` reads tables and says what a row holds, `kharchenko` and `long_table` know one way of writing such tables each,
`write` looks through everything first and then writes it as a run of the kind `import`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from auditkit.errors import AuditError

NOT_PUBLISHED = "not published"  # replies.finish_reason where a label came without the reply that it is about


def require_texts(run: Mapping[str, Any]) -> None:
    """Raise AuditError for a run (a row of `runs`) that holds labels without the replies they are about."""
    if json.loads(run["manifest"]).get("import", {}).get("texts") == NOT_PUBLISHED:
        raise AuditError(
            f"run {run['run_id'][3:11]} holds imported labels only: the replies were not published, so there is no text to read"
        )
