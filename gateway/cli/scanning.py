"""`scan`: what machines there are, each with a proposal to paste into the config.

In: a port, a bus or a broker. Out: what was found, and TOML that `hulian check` accepts. What is
known so far is shown while it grows, on a terminal only; Ctrl-C ends a scan with what it found.
"""

import typer

from gateway.cli import scan_brokers, scan_lines


def register(app: typer.Typer) -> None:
    """Add these commands."""
    scan = typer.Typer(no_args_is_help=True, help="What machines there are, with config to paste.")
    scan.add_typer(scan_lines.commands)
    scan.add_typer(scan_brokers.commands)
    app.add_typer(scan, name="scan")
