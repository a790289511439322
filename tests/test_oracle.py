"""Libraries that know nothing of us agree with what we sign and with our trees."""

from gateway.records import cose, merkle
from gateway.records.cose import SigningKey
from tests.oracle import ask

KEY = SigningKey(bytes(range(32)))
LEAVES = 130


def test_a_general_cose_library_verifies_what_we_sign() -> None:
    """`cwt` finds every payload, short and long, under our header and our algorithm."""
    payloads = [bytes([size % 251]) * size for size in (0, 1, 23, 24, 255, 256, 65_535, 65_536)]
    asked = [(cose.sign(KEY, "record", payload).hex(), KEY.public.hex()) for payload in payloads]
    assert [["hulian/1/record", payload.hex()] for payload in payloads] == ask("cose_by_cwt", asked)


def test_a_general_cose_library_refuses_every_flipped_bit() -> None:
    """No bit of a signed object can change without `cwt` refusing it."""
    signed = cose.sign(KEY, "record", b"press 7 closed")
    flipped = [
        (int.from_bytes(signed, "big") ^ 1 << bit).to_bytes(len(signed), "big").hex()
        for bit in range(8 * len(signed))
    ]
    answers = ask("cose_by_cwt", [(each, KEY.public.hex()) for each in flipped])
    assert [None] * len(flipped) == answers


def test_a_general_merkle_library_has_our_roots() -> None:
    """`pymerkle` gets the same root as our frontier at every size."""
    contents = [number.to_bytes(2, "big") for number in range(LEAVES)]
    tree, roots = merkle.frontier(0, merkle.subtrees_of([])), []
    for content in contents:
        tree = tree.append(merkle.leaf_hash(content))
        roots.append(tree.root().hex())
    assert roots == ask("roots_by_pymerkle", [content.hex() for content in contents])
