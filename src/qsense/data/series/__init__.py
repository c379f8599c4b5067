"""Recordings of wearable sensors: data sets, and the data module that windows them."""
