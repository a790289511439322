"""Show people: for now, the commands on this computer that ask a running agent."""
