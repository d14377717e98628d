"""From an input to a run folder."""
