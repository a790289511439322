"""Verify COSE_Sign1 objects by the library `cwt`: [[signed, public], ...] in hex comes in.

Out: for each, what was said in hex with its protected header's type, or null where it is refused.
"""

import json
import sys
from hashlib import sha256

from cwt import COSE, COSEKey


def verified(signed: str, public: str) -> list[str] | None:
    """Give type and payload of a signed object, None if `cwt` refuses it."""
    # COSE_Key (RFC 9052): key type OKP, key id, algorithm Ed25519 (RFC 9864), curve Ed25519.
    key_bytes = bytes.fromhex(public)
    kid = sha256(key_bytes).digest()[:8]
    key = COSEKey.new({1: 1, 2: kid, 3: -19, -1: 6, -2: key_bytes})
    try:
        protected, _, payload = COSE.new().decode_with_headers(bytes.fromhex(signed), key)
    except Exception:  # it raises whatever its CBOR library or its own indexing meets
        return None
    return [protected[16], payload.hex()]


json.dump([verified(*each) for each in json.load(sys.stdin)], sys.stdout)
