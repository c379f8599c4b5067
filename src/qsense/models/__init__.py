"""Networks: plain `nn.Module`s, one per file, no Lightning."""
