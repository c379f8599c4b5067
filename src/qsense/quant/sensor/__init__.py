"""Sensor quantizers: simulated ADCs, one curve per file."""
