"""From a database to a report: findings, tables, LaTeX, a methods paragraph, a bibliography.

The way of the data: `counts` adds up replies in SQL, `alignment`, `contrasts`, `outcomes`, `judges` and `culture` turn counts
into rows by the functions of `auditkit.stats`, `findings` puts them together; `tables`, `latex`, `prose` and `bibliography`
write what `findings` holds and compute nothing.
"""
