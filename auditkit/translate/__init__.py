"""Translations of the bank: automatic checks (`checks`) and scores of back-translations (`score`)."""
