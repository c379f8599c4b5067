"""A study: what the folders of many runs say together. One idea per file; `qsense.report` is its command line."""
