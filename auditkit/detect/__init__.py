"""Layers of the detector that need no model: normaliser, rules for stereotypes and culture, languages of spans, injections."""
