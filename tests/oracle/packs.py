"""Judge packs as docs/protocol/observation.md says: [hex, ...] comes in, for each what it proves.

True where all that claims a device's signature is proved, null where nothing claims it, else false.
"""

import json
import sys

from tests.oracle.device import check_device
from tests.oracle.signed import Refused


def judged(content: str) -> bool | None:
    """Judge one pack."""
    try:
        return check_device(bytes.fromhex(content))
    except Refused:
        return False


json.dump([judged(each) for each in json.load(sys.stdin)], sys.stdout)
