"""An agent whose run began long ago: its backlog and what it says now are one feed.

In: how many records its run has written before it listens. Out: the real agent, which goes on with
that run; nothing else of it differs. `python -m tests.longrun COUNT`, with the config as for
`hulian run`.
"""

import os
import sys
from pathlib import Path

from gateway import agent
from gateway.records.run import Run
from tests import week


class LongRun(agent.Agent):
    """One whose run, when it is made, has a week behind it."""

    def _new_run(self) -> Run:
        run = super()._new_run()
        week.write_by(run, self._state_dir, int(sys.argv[1]))
        return run


if __name__ == "__main__":
    agent.Agent = LongRun  # type: ignore[misc] # The agent's own way of starting makes this one.
    sys.exit(agent.run(Path(os.environ["HULIAN_CONFIG"])))
