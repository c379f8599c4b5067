"""Frames in batches: read at the sizes that are asked for, padded, and augmented on the device."""
