"""What a model eats, read and checked."""
