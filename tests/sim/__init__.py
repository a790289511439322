"""A consortium in memory: real stores and signatures, a network with a temper, and no waiting.

Every world is decided by its seed, so a failure is a number that can be run again:
`make worlds SEED=`.
"""

from functools import lru_cache

from gateway.records import cose

# All members of a world verify the same bytes under the same keys, and the answer is the same.
cose.crypto_sign_open = lru_cache(1 << 14)(cose.crypto_sign_open)  # type: ignore[attr-defined]
