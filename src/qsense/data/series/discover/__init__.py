"""What unknown tables hold: format, clock, axes, unit, labels, subjects; and the arguments of `csv_har` for them."""
