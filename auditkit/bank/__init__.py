"""The bank of dilemmas: its checks and the facts of its card. Everything is counted from the files; nothing is asked.

The way of the data: `text` measures one text, `overlap` what texts share, `second_reading` loads what readers made of
the dilemmas, `read` puts the bank together, `figures` counts the facts of the card, `check` holds texts, figures and
readings to its thresholds. `second_reading` also makes the sheet of what is still to be read.

What each check means, and what it cannot see, stands in docs/bank.md. The measures of text here (words, syllables,
stems) are for English, the language of the bank.
"""
