"""Data sets: one file each, plus the few pieces they share."""
