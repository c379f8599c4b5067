"""Network quantizers: few-bit weights and activations for any network."""
