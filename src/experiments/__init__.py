"""The acts: making tables and splits, extracting, training, tuning, testing, each in files that explain themselves."""
