"""A finished run's pipeline, live: samples in, sensor codes, class out."""
