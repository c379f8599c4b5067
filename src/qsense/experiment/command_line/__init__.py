"""The command line as people and agents type it, and the words that Hydra reads."""
