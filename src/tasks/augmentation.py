"""Tasks of effects: clips as they sound through the real world's channels."""
