"""What every training by transformers' Trainer shares: checkpoints, resumption to the same weights, many processes."""
