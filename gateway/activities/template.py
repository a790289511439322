"""Templates: what an activity may be, as TOML that all its members read alike. template.md.

In: the text of a template. Out: the template, or all its faults, each with its line and key. Its
name everywhere is the SHA-256 of the text. It opens no file and judges no record.
"""

import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from gateway.activities import terms
from gateway.activities.activity import TEMPLATE_BYTES_MAX, TEXT_BYTES_MAX, Mode, Value
from gateway.activities.draft import Draft
from gateway.activities.terms import (
    Approving,
    Choice,
    Field,
    Guard,
    Merge,
    Needs,
    Relation,
    Sought,
    Step,
    Title,
    Type,
)
from gateway.config.lines import Path
from gateway.errors import BadValue, MalformedTemplate, TemplateFault
from gateway.groups.group import ActivityKind, Role

FIELDS_MAX: Final = 64
GUARDS_MAX: Final = 64
CHOICES_MAX: Final = 32
# On one line: reading a dotted key of TOML costs the square of its parts.
DOTS_MAX: Final = 200
UNIT_BYTES_MAX: Final = 32
APPROVALS_MAX: Final = 16
VERSION_MAX: Final = 1_000_000
CLOSE: Final = "close"
_TAKEN: Final = ("open", CLOSE, "order")
_FIELD_KEYS: Final = (
    *("title", "type", "merge", "write", "decider", "needs", "approvals", "organisations"),
    *("unit", "min", "max", "choices"),
)
_NEEDS: Final = {"agreed": Needs.AGREED, "final": Needs.FINAL}
_KINDS: Final = {kind.name.lower().replace("_", "-"): kind for kind in ActivityKind}
_MODES: Final = {mode.name.lower(): mode for mode in Mode}
_ROLES: Final = {role.name.lower(): role for role in Role}
_TYPES: Final = {each.value: each for each in Type}
_MERGES: Final = {each.value: each for each in Merge}
_RELATIONS: Final = {each.value: each for each in Relation}


@dataclass(frozen=True, slots=True)
class Template:
    """What an activity may be: its fields, their guards, and its steps."""

    text: str
    name: str
    title: Title
    kind: ActivityKind
    mode: Mode
    version: int
    fields: Table[str, Field]  # in the order of the text
    guards: tuple[Guard, ...]
    close: Step
    order: Step | None  # None: no machine may be ordered about within such an activity

    @property
    def hash(self) -> bytes:
        """Name the template."""
        return sha256(self.text.encode()).digest()

    def guards_on(self, step: str) -> tuple[Guard, ...]:
        """Give what must hold for a field to be written, or for the activity to be closed."""
        return tuple(guard for guard in self.guards if guard.on == step)

    def needs(self, step: Field | Step, mode: Mode) -> Needs:
        """Say what a record must be before anybody acts on what it says, in an activity so open."""
        slot = isinstance(step, Field) and step.merge is Merge.SLOT
        least = Needs.AGREED if slot or mode is Mode.TRUST else Needs.NOTHING
        return step.needs or least


def parse(text: str) -> Template:
    """Read a template; raise MalformedTemplate with all that is wrong."""
    table = _table(text)
    reader = _Reader(text)
    made = reader.template(text, table)
    if made is None or reader.faults:
        raise MalformedTemplate(reader.faults)
    return made


def _table(text: str) -> dict[str, object]:
    reason, line = f"more than {TEMPLATE_BYTES_MAX} bytes", 1
    for at, each in enumerate(text.split("\n"), 1):
        if each.count(".") > DOTS_MAX:
            wide = TemplateFault(line=at, key="TOML", reason=f"more than {DOTS_MAX} dots")
            raise MalformedTemplate((wide,))
    try:
        if len(text.encode()) <= TEMPLATE_BYTES_MAX:
            return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        reason, _, place = str(fault).partition(" (at ")
        number = place.partition(" ")[2].partition(",")[0]
        line = int(number) if number.isdigit() else text.count("\n") + 1
    except RecursionError:
        reason = "nested too deep"
    except ValueError as fault:  # letters that are no UTF-8, or a number of 5,000 digits
        reason = str(fault).partition(";")[0]
    syntax = TemplateFault(line=line, key="TOML", reason=reason[:120])
    raise MalformedTemplate((syntax,)) from None


class _Reader(Draft):
    """Read table by table; what is given counts only where no fault was found."""

    def template(self, text: str, said: Table[str, object]) -> Template | None:
        """Read the whole."""
        known = ("name", "title", "kind", "mode", "version", "field", "guard", "close", "order")
        self.known((), said, known)
        fields = self._fields(said)
        guards = self._guards(said, fields)
        close = self._step((CLOSE,), said.get(CLOSE, {}), ("write", "needs"))
        order = None
        if "order" in said:
            allowed = ("write", "needs", "approvals", "organisations")
            order = self._step(("order",), said["order"], allowed)
        name = self.name(("name",), said.get("name"))
        title = self.title(("title",), said.get("title"))
        kind = self.word(("kind",), said.get("kind"), _KINDS)
        mode = self.word(("mode",), said.get("mode"), _MODES)
        version = self.count(("version",), said.get("version"), 1, VERSION_MAX)
        if kind is None or mode is None or close is None:
            return None
        return Template(text, name, title, kind, mode, version, fields, guards, close, order)

    def _fields(self, said: Table[str, object]) -> dict[str, Field]:
        match said.get("field"):
            case dict() as found if 0 < len(found) <= FIELDS_MAX:
                made = [self._field(("field", name), name, one) for name, one in found.items()]
                return {field.name: field for field in made if field is not None}
        reason = f"there must be 1 to {FIELDS_MAX} fields, each a table [field.NAME]"
        self.fault(("field",), reason=reason)
        return {}

    def _field(self, at: Path, name: str, said: object) -> Field | None:
        if not isinstance(said, dict):
            self.fault(at, reason="it must be a table")
            return None
        self.known(at, said, _FIELD_KEYS)
        self.name(at, name)
        if name in _TAKEN:
            self.fault(at, reason="open, close and order are names of steps, not of fields")
        title = self.title((*at, "title"), said.get("title"))
        kind = self.word((*at, "type"), said.get("type"), _TYPES)
        merge = self.word((*at, "merge"), said.get("merge", "register"), _MERGES)
        if kind is None or merge is None:
            return None
        if merge is Merge.COUNTER and kind is not Type.NUMBER:
            self.fault((*at, "merge"), reason="only a number can be counted")
        low, high = self._bounds(at, said, kind)
        return Field(
            name,
            title,
            kind,
            merge,
            self._writers(at, said, merge),
            self._needs(at, said),
            self._approving(at, said),
            self._unit(at, said, kind),
            low,
            high,
            self._choices(at, said, kind),
        )

    def _writers(self, at: Path, said: Table[str, object], merge: Merge) -> tuple[Role, ...]:
        """Read who may write; of a slot nobody but its decider."""
        wanted, other = ("decider", "write") if merge is Merge.SLOT else ("write", "decider")
        if other in said:
            reason = "a slot has a 'decider' instead of 'write', and nothing else has one"
            self.fault((*at, other), reason=reason)
        if merge is not Merge.SLOT:
            return self._roles((*at, wanted), said.get(wanted))
        role = self.word((*at, wanted), said.get(wanted), _ROLES)
        return () if role is None else (role,)

    def _bounds(
        self, at: Path, said: Table[str, object], kind: Type
    ) -> tuple[int | float | None, int | float | None]:
        found: list[int | float | None] = []
        for key in ("min", "max"):
            value = said.get(key)
            if key in said and kind is not Type.NUMBER:
                self.fault((*at, key), reason="only a number has bounds")
            found.append(self.number((*at, key), value) if key in said else None)
        low, high = found
        if low is not None and high is not None and low > high:
            self.fault((*at, "max"), reason="it is below 'min'")
        return low, high

    def _unit(self, at: Path, said: Table[str, object], kind: Type) -> str:
        match said.get("unit", ""):
            case "" if "unit" not in said:
                return ""
            case str() as unit if kind is Type.NUMBER and terms.is_text(unit, UNIT_BYTES_MAX):
                return unit
        reason = f"a unit is text of 1 to {UNIT_BYTES_MAX} bytes, and only a number has one"
        self.fault((*at, "unit"), reason=reason)
        return ""

    def _choices(self, at: Path, said: Table[str, object], kind: Type) -> tuple[Choice, ...]:
        path = (*at, "choices")
        if kind is not Type.CHOICE:
            if "choices" in said:
                self.fault(path, reason="only a choice has choices")
            return ()
        match said.get("choices"):
            case dict() as found if 0 < len(found) <= CHOICES_MAX:
                pass
            case _:
                reason = f"there must be 1 to {CHOICES_MAX} choices, each with its title"
                self.fault(path, reason=reason)
                return ()
        for name in found:
            self.name((*path, name), name)
        return tuple(Choice(name, self.title((*path, name), one)) for name, one in found.items())

    def _guards(self, said: Table[str, object], fields: Table[str, Field]) -> tuple[Guard, ...]:
        match said.get("guard", []):
            case list() as found if len(found) <= GUARDS_MAX:
                made = [self._guard(("guard", at), one, fields) for at, one in enumerate(found)]
                return tuple(each for each in made if each is not None)
        reason = f"there must be at most {GUARDS_MAX} guards, each a table [[guard]]"
        self.fault(("guard",), reason=reason)
        return ()

    def _guard(self, at: Path, said: object, fields: Table[str, Field]) -> Guard | None:
        if not isinstance(said, dict):
            self.fault(at, reason="it must be a table")
            return None
        self.known(at, said, ("on", "field", "reading", "is", "value", "than", "why"))
        on = self.word((*at, "on"), said.get("on"), {step: step for step in (*fields, CLOSE)})
        relation = self.word((*at, "is"), said.get("is"), _RELATIONS)
        why = self.title((*at, "why"), said.get("why"))
        subject = self._subject(at, said, fields)
        if on is None or relation is None or subject is None:
            return None
        about = None if isinstance(subject, Sought) else fields[subject]
        value, than = self._compared(at, said, relation, (about, fields))
        return Guard(on, subject, relation, value, than, why)

    def _subject(
        self, at: Path, said: Table[str, object], fields: Table[str, Field]
    ) -> str | Sought | None:
        """Read what a guard is about: a field, or linked readings; else the field it is on."""
        if "reading" not in said:
            if "field" not in said and said.get("on") == CLOSE:
                self.fault(at, reason="a guard on close needs 'field' or 'reading'")
                return None
            key = "field" if "field" in said else "on"
            return self.word((*at, key), said.get(key), {name: name for name in fields})
        path, found = (*at, "reading"), said["reading"]
        if "field" in said or not isinstance(found, dict):
            reason = "it must be a table, as in reading = { metric = 'mass' }, without 'field'"
            self.fault(path, reason=reason)
            return None
        self.known(path, found, ("device", "metric", "device_of", "metric_of"))
        texts = {
            name: name
            for name, field in fields.items()
            if field.type is Type.TEXT and field.merge is Merge.REGISTER
        }
        named: list[str | None] = []
        for key in ("device", "metric"):
            if key in found and f"{key}_of" in found:
                reason = "it is named either itself or by a field"
                self.fault((*path, key), reason=reason)
            named.append(self.text((*path, key), found[key], 128) if key in found else None)
        for key in ("device_of", "metric_of"):
            named.append(self.word((*path, key), found[key], texts) if key in found else None)
        return Sought(*named)

    def _compared(
        self,
        at: Path,
        said: Table[str, object],
        relation: Relation,
        around: tuple[Field | None, Table[str, Field]],
    ) -> tuple[Value | None, str | None]:
        """Read what a guard's subject is compared with, and that the two can be compared."""
        about, fields = around
        if relation is Relation.SET:
            if "value" in said or "than" in said:
                self.fault((*at, "is"), reason="'set' compares with nothing")
            return None, None
        if ("value" in said) is ("than" in said):
            self.fault(at, reason="it needs 'value' or 'than', and not both")
            return None, None
        if about is not None and about.merge is Merge.APPEND:
            self.fault(at, reason="of what is appended a guard can only ask whether it is set")
        if "value" in said:
            value = self._value((*at, "value"), said["value"], about)
            if value is not None:
                self._check_order(at, relation, terms.sort_of(value))
            return value, None
        than = self.word((*at, "than"), said["than"], {name: name for name in fields})
        if than is None:
            return None, None
        other = fields[than]
        if other.merge is Merge.APPEND or (about is not None and about.type is not other.type):
            self.fault((*at, "than"), reason="the two are not of one type, or it is appended")
        comparable = other.type in (Type.NUMBER, Type.TIME)
        self._check_order(at, relation, float if comparable else str)
        return None, than

    def _check_order(self, at: Path, relation: Relation, sort: type) -> None:
        if relation in terms.ORDERED and sort is not float:
            reason = "only numbers and times are more or less; others are == or !="
            self.fault((*at, "is"), reason=reason)

    def _value(self, path: Path, value: object, about: Field | None) -> Value | None:
        """Read the value that a guard names: one that its field may have."""
        if about is None:
            match value:
                case bool():
                    return value
                case int() | float():
                    return self.number(path, value)
            return self.text(path, value, TEXT_BYTES_MAX)
        try:
            return terms.check_value(about, value)
        except BadValue as fault:
            self.fault(path, reason=str(fault.facts["reason"]))
        return None

    def _step(self, at: Path, said: object, allowed: tuple[str, ...]) -> Step | None:
        if not isinstance(said, dict):
            self.fault(at, reason="it must be a table")
            return None
        self.known(at, said, allowed)
        write = self._roles((*at, "write"), said.get("write"))
        return Step(write, self._needs(at, said), self._approving(at, said))

    def _needs(self, at: Path, said: Table[str, object]) -> Needs:
        if "needs" not in said:
            return Needs.NOTHING
        return self.word((*at, "needs"), said["needs"], _NEEDS) or Needs.NOTHING

    def _approving(self, at: Path, said: Table[str, object]) -> Approving:
        """Read how many persons approve; of at least one organisation where any must."""
        persons = self.count((*at, "approvals"), said.get("approvals", 0), 0, APPROVALS_MAX)
        least = min(persons, 1)
        path = (*at, "organisations")
        organisations = self.count(path, said.get("organisations", least), least, APPROVALS_MAX)
        if organisations > persons:
            self.fault(path, reason="there are more than 'approvals'")
        return Approving(persons, organisations)

    def _roles(self, path: Path, said: object) -> tuple[Role, ...]:
        if not isinstance(said, list) or not said:
            reason = f"it must be a list of one or more of: {', '.join(_ROLES)}"
            self.fault(path, reason=reason)
            return ()
        found = [self.word((*path, at), one, _ROLES) for at, one in enumerate(said)]
        roles = {role for role in found if role is not None}
        return tuple(sorted(roles))
