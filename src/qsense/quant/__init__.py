"""Quantizers: of the sensor (its ADC) and of the network."""
