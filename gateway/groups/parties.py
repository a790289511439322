"""Parties: from those whom something concerns to the nodes that become a group (first patent).

In: what people call the parties and what each is in the activity, the nodes that are known, a
roster. Out: members for a founding; or an error that says who is not known. Protocol:
docs/protocol/group.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import AmbiguousParty, UnknownParty
from gateway.groups.group import Member, Role
from gateway.records.identity import Certificate
from gateway.records.roster import Roster


@dataclass(frozen=True, slots=True)
class Contact:
    """A node that is known: what its organisation certifies of it, and how to seal to it."""

    node: Certificate
    encryption: Certificate


@dataclass(frozen=True, slots=True)
class Party:
    """A party as people name it: an organisation or a gateway, by name or id; and its roles."""

    who: str
    roles: tuple[Role, ...]


def find(who: str, contacts: Sequence[Contact], within: Roster) -> list[Contact]:
    """Find the nodes of a party: all of an organisation, or one; raise UnknownParty."""
    named = [each.id for each in within.organisations if who in (each.name, each.id.hex())]
    if len(named) > 1:
        raise AmbiguousParty(who=who)
    ids = {each.id for each in within.organisations}
    near = [each for each in contacts if each.node.issuer in ids]
    found = [each for each in near if each.node.issuer in named]
    if not named:
        found = [each for each in near if who in (each.node.name, each.node.subject.hex())]
        if len({each.node.subject for each in found}) > 1:
            raise AmbiguousParty(who=who)
    if not found:
        known = sorted({each.name for each in within.organisations})
        raise UnknownParty(who=who, known=", ".join(known))
    return found


def members(
    parties: Sequence[Party], contacts: Sequence[Contact], within: Roster
) -> tuple[Member, ...]:
    """Give the members that parties come to, sorted; who is named twice has all of the roles."""
    roles: dict[bytes, set[Role]] = {}
    known: dict[bytes, Contact] = {}
    for party in parties:
        for contact in find(party.who, contacts, within):
            known[contact.node.subject] = contact
            roles.setdefault(contact.node.subject, set()).update(party.roles)
    found = [
        Member(contact.node.issuer, contact.encryption, tuple(sorted(roles[node])))
        for node, contact in known.items()
    ]
    return tuple(sorted(found, key=lambda each: (each.organisation, each.node)))
