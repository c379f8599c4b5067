"""A study: what the folders of many runs say together. One idea per file; `commands/report.py` is its command line."""
