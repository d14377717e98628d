"""The one training loop of all networks on waveforms: clips to windows, losses, checkpoints, transformers' Trainer."""
