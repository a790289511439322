"""Ed25519 alone, by the library `cryptography`: seconds come in as JSON, rates go out.

It runs in the independent verifiers' environment, and knows nothing of gateway/.
"""

import json
import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MESSAGE = bytes(range(256))  # about as long as what a record signs


def rate(act: Callable[[], object], seconds: float) -> float:
    """Say how often something can be done in a second."""
    count, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < seconds:
        act()
        count += 1
    return count / took


key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
signature, public = key.sign(MESSAGE), key.public_key()
during_s = json.load(sys.stdin)
answer = {
    "sign": rate(lambda: key.sign(MESSAGE), during_s),
    "verify": rate(lambda: public.verify(signature, MESSAGE), during_s),
}
json.dump(answer, sys.stdout)
