"""Vectors of questions: filters as they are typed, and what they ask. docs/protocol/query.md."""

from gateway import query
from gateway.query import Question
from tests.damage import refusal

HASH = "c3" * 32
Options = dict[str, str]


def expect(question: Question) -> dict[str, object]:
    """Give what is asked, as JSON."""
    return {
        "group": question.group,
        "device": question.device,
        "metric": question.metric,
        "activity": None if question.activity is None else question.activity.hex(),
        "organisation": None if question.organisation is None else question.organisation.hex(),
        "from_ms": question.from_ms,
        "to_ms": question.to_ms,
        "status_min": question.status_min.name.lower(),
        "limit": question.limit,
        "equipment": question.equipment,
    }


def build() -> dict[str, object]:
    """Build the vectors."""
    return {
        "noun": "query",
        "chapter": "docs/protocol/query.md",
        "good": [
            {"name": name, "options": options, "expect": expect(query.understand(options))}
            for name, options in _good().items()
        ],
        "bad": [
            {"name": name, "options": options, "error": _error(options)}
            for name, options in _bad().items()
        ],
    }


def _error(options: Options) -> str:
    return refusal(lambda: query.understand(options))


def _good() -> dict[str, Options]:
    return {
        "everything": {},
        "a device and a metric": {"group": "own", "device": "press-*", "metric": "env.temp_?"},
        "a name that is empty": {"device": ""},
        "an activity and an organisation": {"activity": HASH, "org": HASH[:32].upper()},
        "a day": {"from": "2026-05-01", "to": "2026-05-02"},
        "a span of nothing": {"from": "2026-05-01T00:00:00Z", "to": "2026-05-01"},
        "a zone": {"from": "2026-05-01T08:00:00.250+08:00"},
        "a space, and no seconds": {"to": "2026-05-01 08:00"},
        "microseconds, cut": {"from": "2026-05-01T08:00:00.000999Z"},
        "before 1970": {"from": "1969-12-31T23:59:59.999Z"},
        "replicated, the newest ten": {"min-status": "Replicated", "limit": "10"},
        "none at all": {"limit": "0"},
        "a line, and all that is in it": {"equipment": "example/plant-1/pressing/line-2"},
    }


def _bad() -> dict[str, Options]:
    return {
        "an unknown filter": {"colour": "red"},
        "an activity that is no hex": {"activity": "z" * 64},
        "an activity that is short": {"activity": HASH[:-2]},
        "an activity with blanks": {"activity": " ".join(["c3"] * 32)},
        "an organisation that is long": {"org": HASH[:34]},
        "an organisation that is empty": {"org": ""},
        "a time in words": {"from": "yesterday"},
        "a time that is a number": {"from": "1777622400"},
        "a day that there is not": {"to": "2026-02-30"},
        "an hour that there is not": {"to": "2026-05-01T24:30:00Z"},
        "a week": {"from": "2026-W18-5"},
        "a day without hyphens": {"from": "20260501"},
        "an hour alone": {"from": "2026-05-01T08"},
        "a zone of letters": {"from": "2026-05-01T08:00:00 CET"},
        "digits of another script": {"from": "２０２６-05-01"},
        "a fraction of nothing": {"from": "2026-05-01T08:00:00."},
        "a span that ends before it begins": {"from": "2026-05-02", "to": "2026-05-01"},
        "a status that there is not": {"min-status": "certain"},
        "a status that is empty": {"min-status": ""},
        "an equipment by another name": {"place": "example"},
        "a limit below nothing": {"limit": "-1"},
        "a limit with a fraction": {"limit": "1.5"},
        "a limit that is empty": {"limit": ""},
        "a limit of ten digits": {"limit": "1000000000"},
    }
