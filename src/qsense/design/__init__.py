"""From data and a budget to a converter: screen all, train the promising, confirm the best."""
