"""`python -m gateway.cli`: the same as `hulian`."""

from gateway.cli.main import main

main()
