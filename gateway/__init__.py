"""Hulian: the agent on a factory's edge gateway. Its whole path, in the order to read the code.

A machine says something over a wire or a broker; `sources` hear it, `readings` map it. The agent's
run signs a batch of readings as a record (`records`) of its feed in a group (`groups`); the `store`
commits it with fsync, and only then the machine is acknowledged. `sync` decides what a peer lacks,
`peers` carry it, the peer's store keeps it, and its signed ACK releases it from the outbox. `query`
and `verify` answer a person from any member's own copy.

Four folders touch the world (`sources`, `store`, `peers`, `web`); `agent.py` is where they meet;
all else is thought.
"""

VERSION = "0.1.0"
