"""Corpora on disk: tables, splits, derived corpora, inspection."""
