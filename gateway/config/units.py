"""Units: those of the SenML registry, else those of UCUM; of all others the nearest.

In: a unit as the config says it. Out: whether it is one, or which was likely meant. It converts
nothing: a number stays under the unit in which its machine says it. Reference: docs/config.md.
"""

import re
from difflib import get_close_matches
from typing import Final

# https://www.iana.org/assignments/senml: units (RFC 8428) and secondary units (RFC 8798).
REGISTRY: Final = frozenset(
    "m kg g s A K cd mol Hz rad sr N Pa J W C V F Ohm S Wb T H Cel lm lx Bq Gy Sv kat"
    " m2 m3 l m/s m/s2 m3/s l/s W/m2 cd/m2 bit bit/s lat lon pH dB dBW Bspl count / % %RH %EL EL"
    " 1/s 1/min beat/min beats S/m B VA VAs var vars J/m kg/m3 deg NTU"
    " ms min h MHz kW kVA kvar Ah Wh kWh varh kvarh kVAh Wh/km KiB GB Mbit/s B/s MB/s mV mA dBm"
    " ug/m3 mm/h m/h ppm /100 /1000 hPa mm cm km km/h".split()
)
_PREFIXES: Final = "Y Z E P T G M k h da d c m u n p f a z y".split()
# Of UCUM what plants use: atoms that take a prefix, and those that do not.
_METRIC: Final = frozenset(
    "m g s A K cd mol Hz rad sr N Pa J W C V F Ohm S Wb T H Cel lm lx Bq Gy Sv kat l L eV bar t"
    " cal B Np bit By VA var Wh Ah m[H2O] m[Hg] g% eq osm U".split()
)
_PLAIN: Final = frozenset(
    "min h d wk mo a deg gon ' '' % atm [pH] [ppth] [ppm] [ppb] [degF] [psi] [in_i] [ft_i] [yd_i]"
    " [mi_i] [lb_av] [oz_av] [lbf_av] [gal_us] [HP] [g] [pi] 10* 10^ ar st u".split()
)
_TERM: Final = re.compile(
    r"(?P<atom>[^0-9{}+-]*(?:10[*^])?[^0-9{}+-]*?)(?P<power>[+-]?[0-9]{1,2})?"
)
_NOTE: Final = re.compile(r"\{[!-z|~]{1,30}\}")
_MEANT: Final = {
    **{"°c": "Cel", "degc": "Cel", "deg c": "Cel", "celsius": "Cel", "℃": "Cel", "grad": "Cel"},
    **{"°f": "[degF]", "degf": "[degF]", "fahrenheit": "[degF]", "psi": "[psi]", "°": "deg"},
    **{"rpm": "1/min", "u/min": "1/min", "kph": "km/h", "kmh": "km/h", "m^3": "m3", "m³": "m3"},
    **{"m^2": "m2", "m²": "m2", "m3/h": "m3/h", "µm": "um", "μm": "um", "ω": "Ohm", "ohms": "Ohm"},
    **{"sec": "s", "secs": "s", "seconds": "s", "hr": "h", "hours": "h", "minutes": "min"},
    **{
        "nm": "N.m",
        "kwh": "kWh",
        "volt": "V",
        "volts": "V",
        "amp": "A",
        "amps": "A",
        "watt": "W",
        "watts": "W",
    },
    **{"percent": "%", "rh": "%RH", "%rh": "%RH", "kelvin": "K", "pascal": "Pa", "inch": "[in_i]"},
}


def is_unit(unit: str) -> bool:
    """Say whether it is a unit of SenML's registry, or one of UCUM's."""
    return unit in REGISTRY or _is_ucum(unit)


def nearest(unit: str) -> str:
    """Give the unit that was likely meant, "" for none."""
    if meant := _MEANT.get(unit.strip().lower()):
        return meant
    by_letters = {known.lower(): known for known in sorted(REGISTRY, reverse=True)}
    cased = {f"{one}{atom}".lower(): f"{one}{atom}" for one in ("k", "m", "") for atom in _METRIC}
    if unit.lower() in cased:
        return cased[unit.lower()]
    near = get_close_matches(unit.lower(), by_letters, n=1, cutoff=0.5)
    if near:
        return by_letters[near[0]]
    note = "{" + unit + "}"
    return note if _is_ucum(note) else ""


def _is_ucum(unit: str) -> bool:
    parts = re.split(r"[./]", unit.removeprefix("/"))
    return bool(unit) and all(_is_term(part) for part in parts)


def _is_term(said: str) -> bool:
    """Say whether it is a number, or an atom with its prefix and power; a note may follow."""
    bare = _NOTE.sub("", said, count=1)
    if not bare:
        return said != ""
    if re.fullmatch("[1-9][0-9]{0,8}", bare):
        return True
    term = _TERM.fullmatch(bare)
    return term is not None and _is_atom(term["atom"])


def _is_atom(atom: str) -> bool:
    if atom in _METRIC or atom in _PLAIN:
        return True
    return any(atom.startswith(one) and atom[len(one) :] in _METRIC for one in _PREFIXES)
