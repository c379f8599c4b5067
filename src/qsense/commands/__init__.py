"""One file per subcommand of `qsense`."""
