"""A network in integers alone, as a microcontroller computes it; training, reference and C agree bit for bit."""
