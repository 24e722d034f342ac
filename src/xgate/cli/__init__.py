"""The command line: settings file and commands."""
