"""Lightning callbacks: one per file; what they share is in `base` and `pictures`."""
