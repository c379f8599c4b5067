"""Converters with memory: each code says how a sample differs from what the receiver expects of it."""
