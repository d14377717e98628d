"""Compute the embedding store of a split from its clips."""
