"""From the clips of a split to its embedding store."""
