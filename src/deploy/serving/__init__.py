"""A local page on which a run judges the recordings that are dropped on it: `fab Serve`."""
