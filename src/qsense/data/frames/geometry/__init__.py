"""The geometry of frames: cells of a mosaic, sizes of planes, and where and how turned what was annotated lies."""
