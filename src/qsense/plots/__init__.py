"""Pictures: one kind per file, each a function from arrays to a Matplotlib figure."""
