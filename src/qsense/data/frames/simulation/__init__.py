"""Simulated raw frames: scenes that are drawn, and photographs turned back into what a sensor would have seen."""
