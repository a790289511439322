"""Vectors of the config that are about rules: what a machine asks for by itself."""

from tests.vectors.units import GATEWAY, SHOWN_GATEWAY, SHOWN_WEB

HEAD = '[[rule]]\nname = "refill"\ndevice = "tank-1"\nmetric = "level"\n'
ORDER = 'mandate = "6fd2c1a0"\nvalue = 50\n'
RULE = GATEWAY + HEAD + "below = 20\n" + ORDER
OPEN = '[rule.open]\ntemplate = "maintenance"\npurpose = "hot"\n'
OPENS = GATEWAY + HEAD + "above = 90.5\n" + OPEN

Faults = list[tuple[str, int, str]]


def good() -> list[tuple[str, str, str]]:
    """Give texts, and what they come to."""
    shown = (
        f"{SHOWN_GATEWAY}{HEAD}below = 20\nfor_s = 60\nagain_s = 0\n{ORDER}validity_s = 3600\n\n"
    )
    fields = 'fields = { "machine" = "press-1", "stops" = true, "count" = 2 }\n'
    party = '[[rule.open.party]]\nwho = "Ace Metals"\n'
    whole = f"{HEAD}above = 90.5\nreset = 70\nfor_s = 0\nagain_s = 600\n"
    return [
        ("a rule that orders", RULE, shown + SHOWN_WEB),
        (
            "a rule that opens an activity",
            GATEWAY + whole + OPEN + 'group = "upkeep"\n' + fields + party,
            f"{SHOWN_GATEWAY}{whole}validity_s = 3600\n\n{OPEN}"
            f'group = "upkeep"\n{fields}\n{party}roles = ["receiver"]\n\n{SHOWN_WEB}',
        ),
    ]


def bad() -> list[tuple[str, str, Faults]]:
    """Give texts, each with all its faults."""
    named = {
        "a rule without a bound": _less("below = 20\n", "missing", "below", 4),
        "a rule with two bounds": _more("above = 90", "no-effect", "above"),
        "a rule whose bound is no number": _less("= 20", "range", "below", 8, "= nan"),
        "a reset on the wrong side": _more("reset = 19", "range", "reset"),
        "a reset on the wrong side, above": (
            OPENS.replace("90.5\n", "90.5\nreset = 91\n"),
            [("config.range", 9, "rule[0].reset")],
        ),
        "a rule that asks for nothing": (
            GATEWAY + HEAD + "below = 20\n",
            [("config.missing", 4, "rule[0].mandate")],
        ),
        "a rule that asks for two things": (
            RULE + OPEN,
            [("config.no-effect", 11, "rule[0].open")],
        ),
        "an order without a value": _less("value = 50\n", "missing", "value", 4),
        "a value without a mandate": (
            OPENS.replace("90.5\n", "90.5\nvalue = 50\n"),
            [("config.no-effect", 9, "rule[0].value")],
        ),
        "a mandate too short": _less('"6fd2c1a0"', "range", "mandate", 9, '"6fd2c1a"'),
        "a rule that waits too long": _more("for_s = 604801", "range", "for_s"),
        "a rule with a key that nobody reads": _more("per_s = 1", "unknown-key", "per_s"),
        "two rules of one name": (
            RULE + RULE.removeprefix(GATEWAY),
            [("config.duplicate-name", 12, "rule[1].name")],
        ),
        "an activity without a purpose": (
            OPENS.replace('purpose = "hot"\n', ""),
            [("config.missing", 9, "rule[0].open.purpose")],
        ),
        "a party with a role that is none": (
            OPENS + '[[rule.open.party]]\nwho = "Ace Metals"\nroles = ["chief"]\n',
            [("config.range", 14, "rule[0].open.party[0].roles[0]")],
        ),
    }
    return [(name, *said) for name, said in named.items()]


def _more(line: str, code: str, key: str) -> tuple[str, Faults]:
    return RULE + line + "\n", [(f"config.{code}", 11, f"rule[0].{key}")]


def _less(old: str, code: str, key: str, line: int, new: str = "") -> tuple[str, Faults]:
    return RULE.replace(old, new), [(f"config.{code}", line, f"rule[0].{key}")]
