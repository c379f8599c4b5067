"""Raw files of cameras, and mosaics stored as numbers: found, read, their levels and patterns known."""
