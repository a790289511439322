"""Parties: from what people call somebody to the nodes of a group, or an error that says why."""

from dataclasses import replace

import pytest

from gateway.errors import AmbiguousParty, UnknownParty
from gateway.groups import parties
from gateway.groups.group import Role
from gateway.groups.parties import Contact, Party
from gateway.records import identity
from tests.histories import known
from tests.people import Party as Known, roster_of

ACE, BOLT, SECOND, FLUX = known("ace"), known("bolt"), known("bolt.2"), known("flux")
WITHIN = roster_of(ACE, BOLT)


def contact(who: Known) -> Contact:
    """Give what others know of a party's node."""
    node = identity.decode(who.node_certificate, "node")
    return Contact(node, identity.decode(who.encryption_certificate, "encryption"))


CONTACTS = [contact(each) for each in (ACE, BOLT, SECOND, FLUX)]


def found(who: str) -> set[bytes]:
    """Find the nodes of a party."""
    return {each.node.subject for each in parties.find(who, CONTACTS, WITHIN)}


def test_a_party_is_an_organisation_or_one_gateway_by_name_or_id() -> None:
    """An organisation is all of its gateways; a gateway is itself."""
    both = {BOLT.node.id, SECOND.node.id}
    assert found("bolt") == found(BOLT.root.id.hex()) == both
    assert found("bolt-gw") == found(BOLT.node.id.hex()) == {BOLT.node.id}
    assert found("bolt.2") == {SECOND.node.id}


@pytest.mark.parametrize("who", ["nobody", "", "flux", FLUX.root.id.hex(), FLUX.node.id.hex(), "b"])
def test_who_is_unknown_or_of_no_organisation_here_is_no_party(who: str) -> None:
    """A contact outside the roster is none, and the error names those that are."""
    with pytest.raises(UnknownParty) as raised:
        found(who)
    assert raised.value.facts["known"] == "ace, bolt"


def test_an_organisation_without_a_known_gateway_is_no_party() -> None:
    """That it is in the roster is not enough: nothing could be sealed to it."""
    with pytest.raises(UnknownParty):
        parties.find("ace", [contact(BOLT)], WITHIN)


def test_a_name_of_two_is_refused_and_an_id_helps() -> None:
    """Two organisations or two gateways of one name are told apart by id alone."""
    rows = tuple(replace(each, name="twin") for each in WITHIN.organisations)
    twins = replace(WITHIN, organisations=rows)
    with pytest.raises(AmbiguousParty):
        parties.find("twin", CONTACTS, twins)
    assert len(parties.find(ACE.root.id.hex(), CONTACTS, twins)) == 1
    both = [contact(ACE), contact(BOLT)]
    same = [replace(each, node=replace(each.node, name="gw")) for each in both]
    with pytest.raises(AmbiguousParty):
        parties.find("gw", same, WITHIN)
    assert len(parties.find(ACE.node.id.hex(), same, WITHIN)) == 1


def test_who_is_named_twice_has_all_of_the_roles() -> None:
    """Members are sorted as a founding wants them, each once."""
    wanted = [
        Party("bolt", (Role.RECEIVER,)),
        Party("ace", (Role.INITIATOR,)),
        Party("bolt-gw", (Role.SUPERVISOR,)),
    ]
    members = parties.members(wanted, CONTACTS, WITHIN)
    assert {each.node: each.roles for each in members} == {
        ACE.node.id: (Role.INITIATOR,),
        BOLT.node.id: (Role.RECEIVER, Role.SUPERVISOR),
        SECOND.node.id: (Role.RECEIVER,),
    }
    assert list(members) == sorted(members, key=lambda each: (each.organisation, each.node))
