"""Vectors of templates: texts, and what they come to, or every fault with its line and key."""

from collections.abc import Mapping
from hashlib import sha256

CHAPTER = "docs/protocol/template.md"

HEAD = (
    'name = "delivery"\ntitle = { en = "Delivery", zh = "交货" }\n'
    'kind = "industrial"\nmode = "information"\nversion = 1\n'
)
CLOSE = '[close]\nwrite = ["initiator"]\n'
FIELD = '[field.packages]\ntitle = { en = "Packages" }\ntype = "number"\nwrite = ["receiver"]\n'
SLOT = (
    '[field.taken]\ntitle = { zh = "接收" }\ntype = "bool"\nmerge = "slot"\n'
    'decider = "receiver"\napprovals = 2\norganisations = 2\n'
)
TEXT = '[field.scale]\ntitle = { en = "Scale" }\ntype = "text"\nwrite = ["receiver"]\n'
WHY = 'why = { en = "because" }\n'
GUARD = '[[guard]]\non = "packages"\nis = ">"\nvalue = 0\n' + WHY
READING = (
    '[[guard]]\non = "packages"\nreading = { device_of = "scale", metric = "mass" }\n'
    'is = "<="\nvalue = 30.5\n' + WHY
)
ORDER = '[order]\nwrite = ["initiator"]\nneeds = "agreed"\napprovals = 1\n'
LEAST = HEAD + FIELD + CLOSE
WHOLE = HEAD + FIELD + SLOT + TEXT + GUARD + READING + CLOSE + 'needs = "final"\n' + ORDER

Faults = list[tuple[int, str]]


def build() -> dict[str, object]:
    """Build the vectors."""
    packages = _field("number", "register", ["receiver"])
    guard = {"on": "packages", "subject": "packages", "relation": ">", "value": 0, "than": None}
    reading = {"device": None, "metric": "mass", "device_of": "scale", "metric_of": None}
    whole: dict[str, object] = {
        "fields": {
            "packages": packages,
            "taken": _field("bool", "slot", ["receiver"], "agreed") | {"approving": [2, 2]},
            "scale": _field("text", "register", ["receiver"]),
        },
        "guards": [guard, guard | {"subject": reading, "relation": "<=", "value": 30.5}],
        "close": {"write": ["initiator"], "needs": "final", "approving": [0, 0]},
        "order": {"write": ["initiator"], "needs": "agreed", "approving": [1, 1]},
    }
    least: dict[str, object] = {
        "fields": {"packages": packages},
        "guards": [],
        "close": {"write": ["initiator"], "needs": "nothing", "approving": [0, 0]},
        "order": None,
    }
    trusted = {
        **least,
        "fields": {"packages": packages | {"needs": "agreed"}},
        "close": {"write": ["initiator"], "needs": "agreed", "approving": [0, 0]},
    }
    return {
        "noun": "template",
        "chapter": CHAPTER,
        "good": [
            _good("the least there can be", LEAST, least),
            _good("a slot, guards and orders", WHOLE, whole),
            _good("trusted", LEAST.replace("information", "trust"), trusted),
        ],
        "bad": [
            {"name": name, "toml": toml, "error": "template.malformed", "faults": faults}
            for name, toml, faults in (*_of_text(), *_of_fields(), *_of_guards(), *_of_steps())
        ],
    }


def _good(name: str, toml: str, expect: Mapping[str, object]) -> dict[str, object]:
    hashed = sha256(toml.encode()).hexdigest()
    return {"name": name, "toml": toml, "expect": {"hash": hashed, **expect}}


def _field(kind: str, merge: str, write: list[str], needs: str = "nothing") -> dict[str, object]:
    return {"type": kind, "merge": merge, "write": write, "needs": needs, "approving": [0, 0]}


def _of_text() -> list[tuple[str, str, Faults]]:
    return [
        ("not TOML", "a = ", [(1, "TOML")]),
        ("more than 16 KiB", LEAST + "#" * 16_384, [(1, "TOML")]),
        ("nested too deep", "a = " + "[" * 5_000 + "]" * 5_000, [(1, "TOML")]),
        (
            "nothing",
            "",
            [(1, key) for key in "field close.write name title kind mode version".split()],
        ),
        ("an unknown key", "colour = 1\n" + LEAST, [(1, "colour")]),
        ("another kind", LEAST.replace("industrial", "industry"), [(3, "kind")]),
        ("a version below 1", LEAST.replace("version = 1", "version = 0"), [(5, "version")]),
        ("a name with a blank", LEAST.replace('"delivery"', '"a b"'), [(1, "name")]),
    ]


def _of_fields() -> list[tuple[str, str, Faults]]:
    def field(old: str, new: str, *faults: tuple[int, str]) -> tuple[str, Faults]:
        toml = HEAD + FIELD.replace(old, new) + CLOSE
        return toml, [(line, f"field.packages{key}") for line, key in faults]

    named: list[tuple[str, tuple[str, Faults]]] = [
        ("a field without a title", field('{ en = "Packages" }', "{}", (7, ".title"))),
        ("a title in a third language", field('{ en = "Pack', '{ fr = "Pack', (7, ".title"))),
        ("a field of another type", field('"number"', '"integer"', (8, ".type"))),
        ("a field that nobody may write", field('["receiver"]', "[]", (9, ".write"))),
        ("a role that is none", field('["receiver"]', '["buyer"]', (9, ".write.0"))),
        (
            "a decider of what is no slot",
            field("write =", 'decider = "receiver"\nwrite =', (9, ".decider")),
        ),
        (
            "bounds the wrong way round",
            field("write =", "min = 2\nmax = 1\nwrite =", (10, ".max")),
        ),
        ("choices of a number", field("write =", "choices = {}\nwrite =", (9, ".choices"))),
        ("a choice without choices", field('"number"', '"choice"', (6, ".choices"))),
        ("a unit of a text", field('"number"', '"text"\nunit = "kg"', (9, ".unit"))),
        ("a text that is counted", field('"number"', '"text"\nmerge = "counter"', (9, ".merge"))),
        (
            "more organisations than persons",
            field("write =", "organisations = 1\nwrite =", (9, ".organisations")),
        ),
        (
            "a bound beyond what is exact",
            field("write =", "max = 9007199254740992\nwrite =", (9, ".max")),
        ),
    ]
    taken = LEAST.replace("field.packages", "field.order")
    return [(name, *said) for name, said in named] + [
        ("a field called like a step", taken, [(6, "field.order")]),
        (
            "a slot without a decider",
            LEAST + SLOT.replace("decider", "write"),
            [(16, "field.taken.write"), (12, "field.taken.decider")],
        ),
        (
            "65 fields",
            HEAD + CLOSE + "".join(FIELD.replace("packages", f"f{n}") for n in range(65)),
            [(1, "field")],
        ),
    ]


def _of_guards() -> list[tuple[str, str, Faults]]:
    def guard(old: str, new: str, *faults: tuple[int, str]) -> tuple[str, Faults]:
        toml = LEAST + GUARD.replace(old, new)
        return toml, [(line, f"guard.0{key}") for line, key in faults]

    named: list[tuple[str, tuple[str, Faults]]] = [
        ("a guard on no field", guard('"packages"', '"boxes"', (13, ".on"), (13, ".on"))),
        ("a guard on closing of no field", guard('"packages"', '"close"', (12, ""))),
        ("a guard of no relation", guard('">"', '"=>"', (14, ".is"))),
        ("a guard that does not say why", guard(WHY, "", (12, ".why"))),
        ("a guard with value and than", guard("value", 'than = "packages"\nvalue', (12, ""))),
        ("set with a value", guard('">"', '"set"', (14, ".is"))),
        ("a value that its field cannot have", guard("value = 0", 'value = "x"', (15, ".value"))),
        (
            "a reading of nothing known",
            guard("is =", "reading = { unit = 1 }\nis =", (14, ".reading.unit")),
        ),
    ]
    return [(name, *said) for name, said in named] + [
        (
            "a truth that is more than another",
            LEAST + SLOT + GUARD.replace("packages", "taken").replace("0", "true"),
            [(21, "guard.0.is")],
        ),
        (
            "a device that is named twice over",
            WHOLE.replace("{ device_of", '{ device = "s", device_of'),
            [(28, "guard.1.reading.device")],
        ),
        (
            "a device named by a number",
            WHOLE.replace('device_of = "scale"', 'device_of = "packages"'),
            [(28, "guard.1.reading.device_of")],
        ),
    ]


def _of_steps() -> list[tuple[str, str, Faults]]:
    return [
        ("nobody may close", HEAD + FIELD, [(1, "close.write")]),
        ("needs what is no status", LEAST + 'needs = "local"\n', [(12, "close.needs")]),
        ("a closing that is approved", LEAST + "approvals = 1\n", [(12, "close.approvals")]),
        ("orders of nobody", LEAST + "[order]\n", [(12, "order.write")]),
    ]
