"""The commands people type. Contract: the command line's names, options and exit statuses."""

from gateway.cli.main import main as main
