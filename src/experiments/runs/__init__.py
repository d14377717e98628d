"""What lies in `runs/`: names, numbers, artefacts, provenance; nothing here trains."""
