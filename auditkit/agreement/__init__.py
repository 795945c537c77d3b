"""How far judges, rules and people agree, and whether a judge may be trusted.

The way of the data: `ratings` reads what everybody said of a run's replies, `compare` turns it into coefficients with
intervals, `gate` holds a judge to the codebook's thresholds, `calibrate` runs a judge on a labelled set and keeps the result.
"""
