"""The vectors of control messages and of the sessions they belong to: docs/protocol/message.md."""

from hashlib import sha256

from gateway.records import cbor, cose
from gateway.records.cose import SigningKey
from gateway.sync import control, message
from gateway.sync.control import Control, Pair
from gateway.sync.session import Session
from tests.damage import refusal
from tests.people import run_of, seed
from tests.vectors.build_message import BUYER, HIGHEST, MAKER, RUN, good

THEIRS = message.encode(good()["hello"])  # the maker greets
OURS = b"the HELLO of the buyer"  # only its hash counts
PAIR = Pair(sha256(THEIRS).digest(), sha256(OURS).digest())
WANT = message.encode(good()["want"])

Heard = tuple[int, ...]


def session(heard: Heard = ()) -> Session:
    """Give the buyer's half of a session in which these counters of the maker were heard."""
    opened = Session(MAKER.node.id, OURS).heard_hello(THEIRS, RUN.credentials)
    for counter in heard:
        opened = opened.heard_control(control.decode(sign(counter)), 0)
    return opened


def sign(counter: int, pair: Pair = PAIR, said: bytes = WANT, key: SigningKey = RUN.key) -> bytes:
    """Sign as the maker does, or as somebody else."""
    return control.sign(key, counter, pair, said)


def take(encoded: bytes, heard: Heard) -> Control:
    """Read, verify and count a control message as its receiver does; raise BadControl."""
    found = control.decode(encoded)
    session(heard).heard_control(found, 0)
    return found


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    return {
        "noun": "control",
        "chapter": "docs/protocol/message.md",
        "good": [
            {**_vector(name, *each), "expect": expect(take(*each))}
            for name, each in _good().items()
        ],
        "bad": [{**_vector(name, *each), "error": _error(*each)} for name, each in _bad().items()],
    }


def expect(found: Control) -> dict[str, object]:
    """Give what was said, as JSON."""
    return {"counter": found.counter, "message": found.message.hex()}


def _vector(name: str, encoded: bytes, heard: Heard) -> dict[str, object]:
    return {
        "name": name,
        "hex": encoded.hex(),
        "run_key": RUN.key.public.hex(),
        "sender": PAIR.sender.hex(),
        "receiver": PAIR.receiver.hex(),
        "heard": list(heard),
    }


def _error(encoded: bytes, heard: Heard) -> str:
    return refusal(lambda: take(encoded, heard))


def _good() -> dict[str, tuple[bytes, Heard]]:
    heads = message.encode(good()["no heads"])
    return {
        "the first": (sign(1), ()),
        "the second": (sign(2, said=heads), (1,)),
        "counters were lost": (sign(900), (1, 2)),
        "late, and within the window": (sign(3), (66,)),
        "the highest counter": (sign(HIGHEST), (1,)),
    }


def _bad() -> dict[str, tuple[bytes, Heard]]:
    first, other = sign(1), seed("another HELLO")
    fields = {
        "counter 0": [0, PAIR.sender, PAIR.receiver, WANT],
        "counter 2^53": [1 << 53, PAIR.sender, PAIR.receiver, WANT],
        "counter true": [True, PAIR.sender, PAIR.receiver, WANT],
        "a hash of 31 bytes": [1, PAIR.sender[1:], PAIR.receiver, WANT],
        "the message not as bytes": [1, PAIR.sender, PAIR.receiver, []],
        "a field less": [1, PAIR.sender, WANT],
        "a field more": [1, PAIR.sender, PAIR.receiver, WANT, None],
    }
    signed = {
        name: (cose.sign(RUN.key, "control", cbor.encode(each)), ())
        for name, each in fields.items()
    }
    return {
        "nothing": (b"", ()),
        "cut": (first[:-1], ()),
        "a byte more": (first + b"\x00", ()),
        "changed": (first[:-1] + bytes([first[-1] ^ 1]), ()),
        "of another HELLO of the sender": (sign(1, Pair(other, PAIR.receiver)), ()),
        "to another HELLO of the receiver": (sign(1, Pair(PAIR.sender, other)), ()),
        "the pair turned round": (sign(1, Pair(PAIR.receiver, PAIR.sender)), ()),
        "by another run of the node": (sign(1, key=run_of(MAKER, 1).key), ()),
        "by another node": (sign(1, key=run_of(BUYER).key), ()),
        "heard before": (first, (1,)),
        "heard before, below the highest": (first, (1, 2)),
        "below the window": (sign(2), (66,)),
        "signed as something else": (
            cose.sign(RUN.key, "ack", cose.decode(first, "control").payload),
            (),
        ),
        **signed,
    }
