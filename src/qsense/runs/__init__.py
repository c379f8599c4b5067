"""One run's folder: what is in it, who is at work on it, and what else hears of it."""
