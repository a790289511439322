"""The vectors of signed objects: docs/protocol/encoding.md."""

from gateway.records import cose
from gateway.records.cose import SigningKey
from tests.damage import refusal
from tests.people import seed

KEY, OTHER = SigningKey(seed("a signer")), SigningKey(seed("another signer"))
KIND = "record"
ORDER = 2**252 + 27742317777372353535851937790883648493  # of Ed25519's group
SMALL_ORDER = (
    "0100000000000000000000000000000000000000000000000000000000000000",  # the identity
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # order 2
    "0000000000000000000000000000000000000000000000000000000000000000",  # order 4
    "0000000000000000000000000000000000000000000000000000000000000080",  # order 4
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",  # order 8
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",  # order 8
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",  # order 8
)
NOT_CANONICAL = (
    "0100000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
)
SIZES = (0, 1, 23, 24, 255, 256)


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = {f"payload of {size} bytes": bytes(range(size % 256)) or bytes(size) for size in SIZES}
    return {
        "noun": "cose",
        "chapter": "docs/protocol/encoding.md",
        "good": [
            {**_vector(name, cose.sign(KEY, KIND, payload)), "expect": payload.hex()}
            for name, payload in good.items()
        ],
        "bad": [
            {**_vector(name, wire, key), "error": _error(wire, key)}
            for name, (wire, key) in _bad().items()
        ],
    }


def open_signed(wire: bytes, public: bytes) -> bytes:
    """Verify as every reader does and give the payload; raise an AuthorError."""
    cose.check_public(public)
    signed = cose.decode(wire, KIND)
    signed.verify(public)
    return signed.payload


def _vector(name: str, wire: bytes, public: bytes = KEY.public) -> dict[str, object]:
    return {"name": name, "hex": wire.hex(), "type": KIND, "public": public.hex()}


def _error(wire: bytes, public: bytes) -> str:
    return refusal(lambda: open_signed(wire, public))


def _bad() -> dict[str, tuple[bytes, bytes]]:
    wire = cose.sign(KEY, KIND, b"hello")
    return {name: (bad, KEY.public) for name, bad in _bad_bytes(wire).items()} | {
        "under another key": (wire, OTHER.public),
        **{f"weak key {each}": (_forged(), bytes.fromhex(each)) for each in SMALL_ORDER},
        **{f"key not canonical {each}": (_forged(), bytes.fromhex(each)) for each in NOT_CANONICAL},
        "a key of 31 bytes": (wire, KEY.public[:31]),
    }


def _bad_bytes(wire: bytes) -> dict[str, bytes]:
    head, rest = wire[:34], wire[35:]  # tag, array, protected header; then the payload
    scalar = (int.from_bytes(wire[-32:], "little") + ORDER).to_bytes(32, "little")
    return {
        "nothing": b"",
        "without the tag": wire[1:],
        "a byte more": wire + b"\x00",
        "cut": wire[:-1],
        "of another type": cose.sign(KEY, "founding", b"hello"),
        "an unprotected header": head + b"\xa1\x04\x40" + rest,
        "the unprotected header missing": head + rest,
        "payload detached": cose.sign_detached(KEY, KIND, b"hello"),
        "payload length in one byte more": head + b"\xa0\x58\x05" + rest[1:],
        "payload as text": head + b"\xa0\x65" + rest[1:],
        "algorithm -8": wire.replace(bytes.fromhex("a30132"), bytes.fromhex("a30127"), 1),
        "another key id": wire[:9] + bytes([wire[9] ^ 1]) + wire[10:],
        "payload changed": wire.replace(b"hello", b"hullo"),
        "the scalar of the signature plus the group's order": wire[:-32] + scalar,
        "signature of zeros": wire[:-64] + bytes(64),
        "signature of 63 bytes": wire[:-66] + b"\x58\x3f" + wire[-63:],
    }


def _forged() -> bytes:
    """A signature that a careless verifier accepts for every message under the identity point."""
    wire = cose.sign(KEY, KIND, b"hello")
    return wire[:-64] + bytes.fromhex(SMALL_ORDER[0]) + bytes(32)
