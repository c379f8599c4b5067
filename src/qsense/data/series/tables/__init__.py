"""Tables of samples as tools write them, and the recordings that they hold."""
