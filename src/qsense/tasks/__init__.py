"""Tasks: a network, its quantizers, a loss, metrics and a recipe in one LightningModule."""
