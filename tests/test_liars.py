"""Members that lie about who is who: what they write is stored, and nobody believes it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import apsw

from gateway.groups import announcement, verdict
from gateway.groups.group import Group, Member, Role
from gateway.groups.membership import CONTENT_TYPE, Act, Add, Remove, encode
from gateway.peers.succession import Succession
from gateway.records import feed, identity, proof, record, roster
from gateway.records.cose import SigningKey
from gateway.records.identity import EncryptionKey, Named
from gateway.records.record import Kind, Said
from gateway.records.roster import Roster
from gateway.store import (
    authoring,
    contacts,
    database,
    feeds,
    groups,
    membership,
    proofs,
    questions,
)
from gateway.store.authoring import Author, Venue
from tests.people import Party, admitted, group_of, moment, observation, party, roster_of, run_of

ACE, BOLT, COIL = party("ace"), party("bolt"), party("coil")
FIRST = roster_of(ACE, BOLT)
SECOND = admitted(FIRST, COIL, by=(ACE, BOLT))
GROUP = group_of(ACE, BOLT, COIL, chain=(FIRST, SECOND))
APART = group_of(ACE, BOLT, chain=(FIRST, SECOND), purpose="apart")
SEALED = group_of(ACE, BOLT, COIL, clear=False, chain=(FIRST, SECOND), purpose="sealed")


class Gateway:
    """A member's store, in which it writes whatever it likes."""

    def __init__(self, who: Party, *within: Group) -> None:
        self.who, self.db = who, database.connect(database.MEMORY)
        self._drawn: Iterator[int] = count(1)
        with self.db:
            for each in within:
                groups.register(self.db, each.founding.purpose, each)

    def write(self, said: Said, within: Group = GROUP) -> bytes:
        """Write a record without asking whether anybody would count it; give its id."""
        author = Author(
            run_of(self.who), moment, lambda size: next(self._drawn).to_bytes(size, "big")
        )
        with self.db:
            place = authoring.say(self.db, author, Venue(within.id, within.roster.hash), said)
            membership.refold(self.db, within.id)
        return bytes(self.db.execute("SELECT id FROM records WHERE place = ?", (place,)).get)

    def act(self, act: Act, deps: tuple[bytes, ...] = ()) -> bytes:
        """Write an act, allowed or not."""
        return self.write(Said(Kind.MEMBERSHIP, encode(act), CONTENT_TYPE, deps=deps))

    def hear(self, other: "Gateway", within: Group = GROUP) -> None:
        """Take over what another holds of a group."""
        with self.db:
            for head in feeds.heads(other.db, within.id):
                _take(self.db, other.db, head.feed)
            membership.refold(self.db, within.id)

    def members(self) -> set[bytes]:
        """Name the members of the group."""
        return {each.node for each in membership.load(self.db, GROUP.id).members}


def _take(db: apsw.Connection, source: apsw.Connection, name: bytes) -> None:
    held = feeds.load(db, name)
    for each in feeds.slice_of(source, name, held.size if held else 0, 1 << 20, 1 << 30):
        if held is None:
            assert each.body is not None
            said, held, _ = feed.open_feed(each.encoded, each.body, groups.rosters(db))
        else:
            said, held = held.accept(each.encoded)
        feeds.append(db, said, each.body, held)


def test_an_old_roster_removes_nobody_who_was_admitted_later() -> None:
    """A view of a roster from before an organisation came says nothing of its having gone."""
    bolt, ace = Gateway(BOLT, GROUP), Gateway(ACE, GROUP)
    with bolt.db:  # Its view is the roster that had not yet admitted the third.
        bolt.db.execute("UPDATE views SET roster = ?", (FIRST.hash,))
    bolt.act(Remove(COIL.node.id, ()))
    ace.hear(bolt)
    assert COIL.node.id in ace.members()


def test_what_is_held_of_another_group_divides_nobody() -> None:
    """Who holds a record of another group and who does not fold the same members."""
    ace, coil = Gateway(ACE, GROUP, APART), Gateway(COIL, GROUP)
    bolt = Gateway(BOLT, GROUP, APART)
    elsewhere = ace.write(observation(), APART)
    bolt.hear(ace, APART)
    ace.act(Remove(BOLT.node.id, ()), deps=(elsewhere,))
    for each in (bolt, coil):
        each.hear(ace)
    assert ace.members() == bolt.members() == coil.members()


def test_a_forged_addition_makes_nobody_known() -> None:
    """Under another organisation's name nobody is found but whom that organisation certified."""
    bolt, ace = Gateway(BOLT, GROUP), Gateway(ACE, GROUP)
    node, sealing = SigningKey(b"\x07" * 32), EncryptionKey(b"\x08" * 32)
    ids = COIL.root.id, node.id
    forged = identity.issue_node(BOLT.root, ids, node.public, 1, Named("coil-2"))
    encryption = identity.issue_encryption(node, node.id, sealing.public)
    added = Member(COIL.root.id, identity.decode(encryption, "encryption"), (Role.RECEIVER,))
    bolt.act(Add(added, forged))
    ace.hear(bolt)
    assert node.id not in ace.members()
    assert set(contacts.of_group(ace.db, GROUP.id)) == {BOLT.node.id}


def test_what_cannot_be_read_of_a_member_keeps_nobody_unknown() -> None:
    """A membership record that says nothing hides no contact."""
    bolt, ace = Gateway(BOLT, GROUP), Gateway(ACE, GROUP)
    bolt.write(Said(Kind.MEMBERSHIP, b"\x80", CONTENT_TYPE))
    ace.hear(bolt)
    assert set(contacts.of_group(ace.db, GROUP.id)) == {BOLT.node.id}


def test_an_organisation_bars_its_own_nodes_alone() -> None:
    """A revocation of another organisation's node bars nobody, and hides no true one."""
    ace = Gateway(ACE, GROUP)
    node = ACE.node.id
    lie = identity.issue_revocation(BOLT.root, (BOLT.root.id, node), 1 << 50)
    true = identity.issue_revocation(ACE.root, (ACE.root.id, node), 1)
    for encoded in (lie, true):
        groups.keep_revocation(ace.db, identity.decode(encoded, "revocation"))
    assert groups.revoked(ace.db) == {(BOLT.root.id, node): 1 << 50, (ACE.root.id, node): 1}
    assert set(groups.revocations(ace.db)) == {lie, true}


def test_a_second_roster_of_one_number_changes_nothing() -> None:
    """Who signs two rosters of one number keeps no gateway from reading its store."""
    ace = Gateway(ACE, GROUP)
    third, other = (_without(COIL, attempt) for attempt in (0, 1))
    with ace.db:
        assert groups.keep_roster(ace.db, third)
        assert not groups.keep_roster(ace.db, other)
    assert set(groups.rosters(ace.db)) == {FIRST.hash, SECOND.hash, third.hash}
    coming = Succession()
    known = groups.rosters(ace.db)
    assert coming.lacking([other.hash], known) == (other.hash,)
    assert coming.take(other.hash, other.encoded, known) == []


def test_who_was_expelled_is_given_no_key_before_its_removal_is_written() -> None:
    """An announcement in the view of the roster without it is sealed to the others alone."""
    ace = Gateway(ACE, SEALED)
    with ace.db:
        groups.keep_roster(ace.db, _without(COIL))
    ace.write(observation(), SEALED)
    own = feed.feed_id(run_of(ACE).key.public, SEALED.id)
    said = record.parse(feeds.slice_of(ace.db, own, 1, 2, 1 << 20)[0].encoded)
    body = feeds.slice_of(ace.db, own, 1, 2, 1 << 20)[0].body
    assert body is not None
    shared = {each.key_id for each in announcement.decode(record.check_body(said, body)).shares}
    assert shared == {one.id for each in (ACE, BOLT) for one in (each.encryption, each.archive)}


def _without(expelled: Party, attempt: int = 0) -> Roster:
    """Give the third roster, in which somebody is no more."""
    rest = [each for each in SECOND.organisations if each.id != expelled.root.id]
    payload = roster.compose_next(SECOND, rest, attempt)
    signatures = [roster.sign(each.root, payload) for each in (ACE, BOLT)]
    return roster.decode_next(roster.assemble(payload, signatures), SECOND)


def test_a_record_under_a_later_roster_is_proved_to_who_trusts_any_of_them() -> None:
    """A stranger that trusts the first roster or the newest one follows the signed way between."""
    ace = Gateway(ACE, GROUP)
    name = ace.write(observation())
    shown = proofs.of(ace.db, questions.find(ace.db, name.hex(), ACE.node.id))
    encoded = proof.encode(shown)
    assert proof.decode(encoded) == shown
    for each in (FIRST, SECOND):
        assert verdict.judge(encoded, [each.hash]).holds
    assert not verdict.judge(encoded, [roster_of(ACE).hash]).holds
    assert not verdict.judge(proof.encode(replace(shown, earlier=())), [SECOND.hash]).holds
