"""`python -m auditkit` is the same as `auditkit`."""

from __future__ import annotations

from auditkit.cli import main

if __name__ == "__main__":
    main()
