"""auditkit audits the advice of large language models across cultures."""

from __future__ import annotations

__version__ = "0.1.0"
