"""Tables for other programs: long CSV, Parquet and JSON lines, with a data dictionary, the manifest, and what is not in them.

The way of the data: `rows` reads the database, `columns` says what each column means, `files` writes a format, `explain`
writes dictionary and README, `write` does all of it for a folder.
"""
