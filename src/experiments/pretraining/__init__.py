"""Speech without labels -> a pretrained model: run folders, resumption, and what the model is worth."""
