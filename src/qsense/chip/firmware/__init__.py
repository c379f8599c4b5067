"""A run as a program of a microcontroller: codes in, classes out, integers only."""
