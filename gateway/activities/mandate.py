"""A mandate: a machine's leave to ask another machine for something, within bounds. A CWT.

In: who may ask whom for what, how often and how much; or signed bytes from anywhere. Out: the
text that is shown, the claims to be signed, signed bytes; or a mandate whose signer the caller
verifies. It knows no clock. Protocol: docs/protocol/mandate.md.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from gateway.activities import wording
from gateway.activities.wording import Language
from gateway.errors import AuthorError, MalformedMandate
from gateway.readings.names import is_name
from gateway.records import cbor, cose, identity
from gateway.records.cose import Signed, SigningKey

MANDATE_BYTES_MAX: Final = 2048
ORDERS_MAX: Final = 1_000_000_000
WINDOW_S_MAX: Final = 366 * 24 * 3600
DEPTH_MAX: Final = 1_000
_END_S_MAX: Final = 253_402_300_799  # the end of the year 9999
_KIND: Final = "mandate"
# Claims of RFC 8392; those below zero are our own.
_ISS, _SUB, _EXP, _CTI = 1, 2, 4, 7
_DEVICE, _TARGET, _POINT, _UNIT, _BOUNDS, _RATE, _BUDGET, _DEPTH, _LANGUAGE, _SHOWN = range(
    -1, -11, -1
)
_REQUIRED: Final = frozenset({_ISS, _SUB, _CTI, *range(-10, 0)})
_WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "who": "The device {device} at the gateway {id}",
        "what": "may set {point} of the gateway {name}, {id}",
        "bounds": "to values from {low} to {high}",
        "any": "to any value that it takes",
        "rate": "at most {count} times in {span}",
        "budget": "and {count} times in all",
        "sum": "up to a sum of {sum}",
        "depth": "in a chain of at most {depth} orders",
        "until": "until {end}",
        "endless": "until it is withdrawn",
        "mandate": "Mandate number {mandate}",
    },
    "zh": {
        "who": "网关 {id} 的设备 {device}",
        "what": "可以设定网关 {name} 的 {point}，{id}",
        "bounds": "取值从 {low} 到 {high}",
        "any": "可取它接受的任何值",
        "rate": "{span} 内至多 {count} 次",
        "budget": "总共至多 {count} 次",
        "sum": "总量至多 {sum}",
        "depth": "指令链至多 {depth} 级",
        "until": "有效至 {end}",
        "endless": "撤回之前一直有效",
        "mandate": "授权编号 {mandate}",
    },
}


@dataclass(frozen=True, slots=True)
class Mandate:
    """Which device of which node may set which point of which node's machines, and how far.

    At most `rate_count` orders are carried out in any `window_s` seconds, and `orders_max` in all;
    `sum_max` bounds the sum of their values without sign. `depth_max` ends chains: an order that a
    reading caused which another order caused is one deeper.
    """

    id: bytes
    issuer: bytes  # the person who gives it, of the target's organisation
    asking: bytes
    device: str
    target: bytes
    target_name: str
    point: str
    unit: str
    rate_count: int
    window_s: int
    orders_max: int
    bounds: tuple[float, float] | None = None
    sum_max: float | None = None
    depth_max: int = 1
    end_s: int | None = None
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class SignedMandate:
    """A mandate as it was signed; `verify` before believing that anybody did."""

    mandate: Mandate
    shown: bytes  # the hash of the text that, by the signature, was shown
    encoded: bytes
    signed: Signed

    @property
    def hash(self) -> bytes:
        """Name it: SHA-256 of the signed bytes."""
        return sha256(self.encoded).digest()

    @property
    def is_as_shown(self) -> bool:
        """Say whether the text that was shown is the text of this mandate."""
        return self.shown == wording.digest(text(self.mandate, self.mandate.language))

    def verify(self, public: bytes) -> None:
        """Check the signature under a person's key; raise BadSignature."""
        self.signed.verify(public)


def text(mandate: Mandate, language: Language) -> str:
    """Write what a mandate allows, as whoever signs or withdraws it is shown."""
    words, unit = _WORDS[language], mandate.unit
    lines = [
        words["who"].format(device=mandate.device, id=identity.show_id(mandate.asking)),
        words["what"].format(
            point=mandate.point, name=mandate.target_name, id=identity.show_id(mandate.target)
        ),
    ]
    if mandate.bounds is None:
        lines.append(words["any"])
    else:
        low, high = (wording.value(each, unit, language) for each in mandate.bounds)
        lines.append(words["bounds"].format(low=low, high=high))
    span = wording.span(mandate.window_s * 1000, language)
    lines.append(words["rate"].format(count=mandate.rate_count, span=span))
    lines.append(words["budget"].format(count=mandate.orders_max))
    if mandate.sum_max is not None:
        lines.append(words["sum"].format(sum=wording.value(mandate.sum_max, unit, language)))
    lines.append(words["depth"].format(depth=mandate.depth_max))
    if mandate.end_s is None:
        lines.append(words["endless"])
    else:
        end = datetime.fromtimestamp(mandate.end_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        lines.append(words["until"].format(end=end))
    lines.append(words["mandate"].format(mandate=mandate.id.hex()))
    return "\n".join(lines) + "\n"


def encode(mandate: Mandate) -> bytes:
    """Write the claims that are to be signed; raise MalformedMandate where no reader took them."""
    claims: dict[int, object] = {
        _ISS: mandate.issuer.hex(),
        _SUB: mandate.asking.hex(),
        _CTI: mandate.id,
        _DEVICE: mandate.device,
        _TARGET: [mandate.target, mandate.target_name],
        _POINT: mandate.point,
        _UNIT: mandate.unit,
        _BOUNDS: None if mandate.bounds is None else list(mandate.bounds),
        _RATE: [mandate.rate_count, mandate.window_s],
        _BUDGET: [mandate.orders_max, mandate.sum_max],
        _DEPTH: mandate.depth_max,
        _LANGUAGE: mandate.language,
        _SHOWN: wording.digest(text(mandate, mandate.language)),
    }
    payload = cbor.encode(claims | ({} if mandate.end_s is None else {_EXP: mandate.end_s}))
    read(payload)
    return payload


def read(payload: bytes) -> Mandate:
    """Read claims that nobody has signed yet; raise MalformedMandate."""
    return _read(payload)[0]


def sign(key: SigningKey, mandate: Mandate) -> bytes:
    """Sign a mandate as its text was shown, with a person's key."""
    return cose.sign(key, _KIND, encode(mandate))


def decode(encoded: bytes) -> SignedMandate:
    """Read a signed mandate, not yet verified; raise MalformedMandate."""
    if len(encoded) > MANDATE_BYTES_MAX:
        raise MalformedMandate(reason="it is too long")
    try:
        signed = cose.decode(encoded, _KIND)
    except AuthorError as fault:
        raise MalformedMandate(reason=fault) from None
    mandate, shown = _read(signed.payload)
    return SignedMandate(mandate, shown, encoded, signed)


def _read(payload: bytes) -> tuple[Mandate, bytes]:
    try:
        claims = cbor.decode(payload, MANDATE_BYTES_MAX)
    except AuthorError as fault:
        raise MalformedMandate(reason=fault) from None
    if isinstance(claims, dict) and _REQUIRED <= claims.keys() <= _REQUIRED | {_EXP}:
        match [claims[key] for key in (_CTI, *range(-1, -11, -1))]:
            case [
                bytes() as number,
                str() as device,
                [bytes() as target, str() as name],
                str() as point,
                str() as unit,
                bounds,
                [int() as rate_count, int() as window_s],
                [int() as orders_max, sum_max],
                int() as depth_max,
                ("en" | "zh") as language,
                bytes() as shown,
            ]:
                mandate = Mandate(
                    number,
                    _id(claims[_ISS]),
                    _id(claims[_SUB]),
                    device,
                    target,
                    name,
                    point,
                    unit,
                    _within(rate_count, ORDERS_MAX),
                    _within(window_s, WINDOW_S_MAX),
                    _within(orders_max, ORDERS_MAX),
                    _bounds(bounds),
                    None if sum_max is None else _amount(sum_max),
                    _within(depth_max, DEPTH_MAX),
                    _within(claims[_EXP], _END_S_MAX) if _EXP in claims else None,
                    language,
                )
                _check(mandate, shown)
                return mandate, shown
    raise MalformedMandate(reason="claims are missing, unknown, or of the wrong type")


def _check(mandate: Mandate, shown: bytes) -> None:
    if (len(mandate.id), len(mandate.target), len(shown)) != (16, 16, 32):
        raise MalformedMandate(reason="an id or hash of the wrong length")
    called = is_name(mandate.device) and is_name(mandate.point)
    if not called or not wording.is_called(mandate.target_name):
        raise MalformedMandate(reason="its device, target or point cannot be called so")
    if not wording.is_unit(mandate.unit):
        raise MalformedMandate(reason="its unit is none")
    if mandate.sum_max is not None and mandate.sum_max <= 0:
        raise MalformedMandate(reason="its sum is nothing at all")


def _id(said: object) -> bytes:
    try:
        found = bytes.fromhex(said) if isinstance(said, str) else b""
    except ValueError:
        found = b""
    if len(found) != 16 or found.hex() != said:
        raise MalformedMandate(reason="an id is not 32 lower-case hex digits")
    return found


def _within(said: object, most: int) -> int:
    if type(said) is not int or not 1 <= said <= most:
        raise MalformedMandate(reason="a count or time is none, or too much")
    return said


def _amount(said: object) -> float:
    if type(said) not in (int, float) or not isinstance(said, int | float):
        raise MalformedMandate(reason="a bound is no number")
    if not wording.is_value(said):
        raise MalformedMandate(reason="a bound is too far from zero, or too near")
    return said


def _bounds(said: object) -> tuple[float, float] | None:
    match said:
        case None:
            return None
        case [low, high]:
            bounds = _amount(low), _amount(high)
            if bounds[0] <= bounds[1]:
                return bounds
    raise MalformedMandate(reason="its bounds are not a lower and a higher one")
