"""A certificate that says nothing but its key: self-signed, Ed25519, made anew at each start.

In: 32 random bytes. Out: an X.509 certificate (RFC 5280) and its private key (RFC 8410), as PEM. It
names nobody and never expires in effect: who is behind it, a proof over its hash says. The
layout is fixed, so it is written by hand. Protocol: docs/protocol/links.md.
"""

from base64 import encodebytes
from typing import Final

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

_SEQUENCE, _SET, _INTEGER, _BITS, _UTF8, _VERSION = 0x30, 0x31, 0x02, 0x03, 0x0C, 0xA0
_ED25519: Final = bytes.fromhex("300506032b6570")  # 1.3.101.112
_NAME: Final = bytes.fromhex("0603550403")  # 2.5.4.3
# The clock may be unset or wrong on either side, and nobody judges by these: 1970 to 9999.
_VALIDITY: Final = b"\x17\x0d700101000000Z" + b"\x18\x0f99991231235959Z"
_PRIVATE: Final = bytes.fromhex("302e020100300506032b657004220420")
_SIGNATURE_BYTES: Final = 64


def self_signed(seed: bytes) -> str:
    """Make a certificate of a fresh key and that key, one after the other, as PEM."""
    public, secret = crypto_sign_seed_keypair(seed)
    name = _tlv(_SEQUENCE, _tlv(_SET, _tlv(_SEQUENCE, _NAME + _tlv(_UTF8, b"hulian"))))
    said = _tlv(
        _SEQUENCE,
        _tlv(_VERSION, _tlv(_INTEGER, b"\x02"))
        + _tlv(_INTEGER, b"\x01" + public[:15])
        + _ED25519
        + name
        + _tlv(_SEQUENCE, _VALIDITY)
        + name
        + _tlv(_SEQUENCE, _ED25519 + _tlv(_BITS, b"\x00" + public)),
    )
    signature = crypto_sign(said, secret)[:_SIGNATURE_BYTES]
    whole = _tlv(_SEQUENCE, said + _ED25519 + _tlv(_BITS, b"\x00" + signature))
    return _pem("CERTIFICATE", whole) + _pem("PRIVATE KEY", _PRIVATE + seed)


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    return bytes((tag, 0x82)) + size.to_bytes(2, "big") + content


def _pem(label: str, der: bytes) -> str:
    return f"-----BEGIN {label}-----\n{encodebytes(der).decode()}-----END {label}-----\n"
