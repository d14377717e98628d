"""From `runs/` to pages."""
