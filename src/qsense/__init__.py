"""qsense: sensors that digitise only what the task needs."""

__version__ = "0.1.0"
