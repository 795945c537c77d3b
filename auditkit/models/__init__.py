"""Where replies come from: `base` says what a backend does, `registry` finds the one for a name, the rest are backends."""
