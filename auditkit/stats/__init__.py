"""Statistics of an audit: pure functions on arrays, without files, plots or data frames.

One cell is a model, a mode and a dimension: counts for K prompts (rows) and J countries (columns) beside J country scores. Every
docstring names its unit of resampling, the shapes and the source of its formula; docs/methods.md has them on one page.

Results are small frozen dataclasses. `estimable` says whether the interval and the p value exist; where they do not, they are None
(never NaN) and `reason` says why in words that can be printed. A figure that only describes (a share of 1, say) is kept.
"""

from __future__ import annotations

DEFAULT_SEED = 20240601
BOOTSTRAP_RESAMPLES = 2_000
PERMUTATIONS = 9_999
MIN_COUNTRIES = 4  # the Fisher variance 1/(J-3) needs at least four
