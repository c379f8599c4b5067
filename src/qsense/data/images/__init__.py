"""Images to classify: data sets, and the data module that batches them."""
