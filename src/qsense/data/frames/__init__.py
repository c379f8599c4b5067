"""Raw frames with boxes to detect: data sets, their conversion, and the data module that batches them."""
