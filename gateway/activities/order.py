"""An order: a person's signed wish, or a thing's under a mandate, that a machine do something.

In: who is to do what, within which time and in which state; or signed bytes from anywhere. Out: the
text that is shown, the payload to be signed, signed bytes; or an order whose signer the caller
verifies. Randomness is an argument. Protocol: docs/protocol/order.md.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from gateway.activities import wording
from gateway.activities.wording import Language
from gateway.errors import AuthorError, MalformedOrder
from gateway.readings.names import is_name
from gateway.readings.reading import Value
from gateway.records import cbor, cose, identity
from gateway.records.cose import Signed, SigningKey

ORDER_BYTES_MAX: Final = 4096
EXPECTED_MAX: Final = 8
VALIDITY_MS: Final = 8 * 3_600_000
VALIDITY_MS_MAX: Final = 7 * 24 * 3_600_000
DEPTH_MAX: Final = 1_000
_KIND: Final = "order"
_RELATIONS: Final = ("<", "<=", ">", ">=", "==", "!=")
_WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "to": "Order to the gateway {name}, {id}",
        "set": "Set {point} to {value}",
        "only": "Only while {metric} of {device} {relation} {value}",
        "valid": "Valid for {span} from record {seq} of feed {feed}",
        "mandate": "Under mandate {mandate}, depth {depth}",
        "activity": "In activity {activity}",
        "order": "Order number {order}",
    },
    "zh": {
        "to": "给网关 {name} 的指令，{id}",
        "set": "将 {point} 设为 {value}",
        "only": "仅当 {device} 的 {metric} {relation} {value} 时",
        "valid": "自数据流 {feed} 的第 {seq} 条记录起 {span} 内有效",
        "mandate": "依据授权 {mandate}，第 {depth} 级",
        "activity": "所属活动 {activity}",
        "order": "指令编号 {order}",
    },
}


@dataclass(frozen=True, slots=True)
class Expected:
    """A state without which the order is not to be carried out: a metric as it was last read."""

    device: str
    metric: str
    relation: str  # one of < <= > >= == !=
    value: Value


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked: a point of a node's machines is to be set to a value, once, in time.

    `quoted` is the feed and number of a record of the target's present run, from whose moment the
    validity counts. A depth above 0, with a mandate, says how many things' orders led to this one.
    """

    id: bytes
    activity: bytes
    target: bytes
    target_name: str
    point: str
    value: Value
    quoted: tuple[bytes, int]
    unit: str = ""
    expected: tuple[Expected, ...] = ()
    validity_ms: int = VALIDITY_MS
    language: Language = "en"
    mandate: bytes | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order as it was signed; `verify` before believing that anybody did."""

    order: Order
    shown: bytes  # the hash of the text that, by the signature, was shown
    encoded: bytes
    signed: Signed

    @property
    def hash(self) -> bytes:
        """Name it: SHA-256 of the signed bytes."""
        return sha256(self.encoded).digest()

    @property
    def is_as_shown(self) -> bool:
        """Say whether the text that was shown is the text of this order."""
        return self.shown == wording.digest(text(self.order, self.order.language))

    def verify(self, public: bytes) -> None:
        """Check the signature under a person's key, or a run's; raise BadSignature."""
        self.signed.verify(public)


def text(order: Order, language: Language) -> str:
    """Write what an order asks for, as whoever signs or approves it is shown."""
    words = _WORDS[language]
    lines = [
        words["to"].format(name=order.target_name, id=identity.show_id(order.target)),
        words["set"].format(
            point=order.point, value=wording.value(order.value, order.unit, language)
        ),
    ]
    for each in order.expected:
        found = wording.value(each.value, "", language)
        lines.append(
            words["only"].format(
                device=each.device, metric=each.metric, relation=each.relation, value=found
            )
        )
    feed, seq = order.quoted
    lasting = wording.span(order.validity_ms, language)
    lines.append(words["valid"].format(span=lasting, seq=seq, feed=feed.hex()))
    if order.mandate is not None:
        lines.append(words["mandate"].format(mandate=order.mandate.hex(), depth=order.depth))
    lines.append(words["activity"].format(activity=order.activity.hex()))
    lines.append(words["order"].format(order=order.id.hex()))
    return "\n".join(lines) + "\n"


def encode(order: Order) -> bytes:
    """Write the payload that is to be signed; raise MalformedOrder where no reader took it."""
    payload = cbor.encode(
        {
            0: 1,
            1: order.id,
            2: order.activity,
            3: [order.target, order.target_name],
            4: order.point,
            5: order.value,
            6: order.unit,
            7: [[one.device, one.metric, one.relation, one.value] for one in order.expected],
            8: order.validity_ms,
            9: list(order.quoted),
            10: order.language,
            11: None if order.mandate is None else [order.mandate, order.depth],
            12: wording.digest(text(order, order.language)),
        }
    )
    read(payload)
    return payload


def read(payload: bytes) -> Order:
    """Read a payload that nobody has signed yet; raise MalformedOrder."""
    return _read(payload)[0]


def sign(key: SigningKey, order: Order) -> bytes:
    """Sign an order as its text was shown, by a person's key, or under a mandate by a run's."""
    return cose.sign(key, _KIND, encode(order))


def decode(encoded: bytes) -> SignedOrder:
    """Read a signed order, not yet verified; raise MalformedOrder."""
    if len(encoded) > ORDER_BYTES_MAX:
        raise MalformedOrder(reason="it is too long")
    try:
        signed = cose.decode(encoded, _KIND)
    except AuthorError as fault:
        raise MalformedOrder(reason=fault) from None
    order, shown = _read(signed.payload)
    return SignedOrder(order, shown, encoded, signed)


def _read(payload: bytes) -> tuple[Order, bytes]:
    try:
        said = cbor.decode(payload, ORDER_BYTES_MAX)
    except AuthorError as fault:
        raise MalformedOrder(reason=fault) from None
    match said:
        case {
            0: version,
            1: bytes() as number,
            2: bytes() as activity,
            3: [bytes() as target, str() as name],
            4: str() as point,
            5: (bool() | int() | float() | str()) as value,
            6: str() as unit,
            7: list() as expected,
            8: int() as validity_ms,
            9: [bytes() as feed, int() as seq],
            10: ("en" | "zh") as language,
            11: under,
            12: bytes() as shown,
            **more,
        } if not more and type(version) is int and version == 1:
            mandate, depth = _under(under)
            order = Order(
                number,
                activity,
                target,
                name,
                point,
                value,
                (feed, seq),
                unit,
                _expected(expected),
                validity_ms,
                language,
                mandate,
                depth,
            )
            _check(order, shown)
            return order, shown
    raise MalformedOrder(reason="fields are missing, unknown, or of the wrong type")


def _check(order: Order, shown: bytes) -> None:
    feed, seq = order.quoted
    if (len(order.id), len(order.activity), len(order.target)) != (16, 32, 16):
        raise MalformedOrder(reason="an id of the wrong length")
    if (len(feed), len(shown)) != (32, 32) or not 0 <= _number(seq) < 1 << 53:
        raise MalformedOrder(reason="no record is quoted, or no text was shown")
    if not wording.is_called(order.target_name) or not is_name(order.point):
        raise MalformedOrder(reason="its target or its point cannot be called so")
    is_number = type(order.value) in (int, float)
    if not wording.is_value(order.value) or not wording.is_unit(order.unit):
        raise MalformedOrder(reason="its value or unit is of no use to a machine")
    if order.unit and not is_number:
        raise MalformedOrder(reason="a unit belongs to a number")
    if not 0 < _number(order.validity_ms) <= VALIDITY_MS_MAX:
        raise MalformedOrder(reason="it is valid for no time, or for too long")


def _under(said: object) -> tuple[bytes | None, int]:
    match said:
        case None:
            return None, 0
        case [bytes() as mandate, int() as depth] if len(mandate) == 32:
            if 1 <= _number(depth) <= DEPTH_MAX:
                return mandate, depth
    raise MalformedOrder(reason="its mandate or its depth is none")


def _expected(said: list[object]) -> tuple[Expected, ...]:
    if len(said) > EXPECTED_MAX:
        raise MalformedOrder(reason="it expects too much")
    return tuple(_expect(each) for each in said)


def _expect(said: object) -> Expected:
    match said:
        case [
            str() as device,
            str() as metric,
            str() as relation,
            (bool() | int() | float() | str()) as value,
        ] if relation in _RELATIONS:
            ordered = relation in ("==", "!=") or type(value) in (int, float)
            if is_name(device) and is_name(metric) and wording.is_value(value) and ordered:
                return Expected(device, metric, relation, value)
    raise MalformedOrder(reason="what it expects cannot be compared")


def _number(value: int) -> int:
    """Give an integer that is no bool, which CBOR tells apart from it; else one out of bounds."""
    return value if type(value) is int else -1
