"""Many runs, and the best of them."""
