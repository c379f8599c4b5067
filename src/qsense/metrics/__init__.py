"""Metrics: a pure function first, a module around it."""
