"""Malformed frames, bare, tagged and signed: mutated vectors through Python and the device's C.

What must hold: each input ends in a frame that encodes to the same bytes, or in an error of the
frame branch; and C ends it the same way.
"""

import tempfile
from collections import Counter
from pathlib import Path

from tests import test_bridge, test_frame, test_keyed, test_signed
from tests.bridge_c import build
from tests.vectors.build_keyed import KEY
from tests.vectors.build_signed import DEVICE

COUNT, COUNT_LONG, SEED = 200_000, 20_000_000, 20_261
_AT_ONCE = 20_000


def run(long: bool) -> str:
    """Feed them all, in portions that fit into memory."""
    tally: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        firmware, keyed = build(Path(folder)), build(Path(folder), KEY)
        signing = build(Path(folder), signer=DEVICE)
        for seed in range(SEED, SEED + (COUNT_LONG if long else COUNT) // _AT_ONCE):
            tally.update(test_frame.campaign(_AT_ONCE, seed))
            test_bridge.campaign(firmware, _AT_ONCE, seed)
            tally.update(test_keyed.campaign(keyed, _AT_ONCE, seed))
            tally.update(test_signed.campaign(signing, _AT_ONCE, seed))
    kinds = ", ".join(f"{code or 'good'} {times}" for code, times in sorted(tally.items()))
    return f"{sum(tally.values())} inputs to Python and C each, 0 escapes, 0 differences: {kinds}"
