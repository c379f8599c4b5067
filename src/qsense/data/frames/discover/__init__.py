"""What a folder of raw files and annotations holds, and the arguments of `data=raw_coco` that read it."""
