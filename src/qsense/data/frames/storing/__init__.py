"""Frames on disk: converted once into a cache, at a size that has room, also as a converter's receiver decodes them."""
