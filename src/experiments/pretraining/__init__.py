"""Pretraining into a run folder, and what the pretrained model is worth."""
