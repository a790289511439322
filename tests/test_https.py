"""HTTPS links over real sockets: who is let in, what is carried, and that it comes back."""

import os
import socket
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.groups.group import Group
from gateway.peers.listening import Listener
from gateway.peers.seats import CARRIED_BYTES_MAX, Seats
from gateway.peers.wire import heads_of, records_of, to_node
from gateway.records import identity
from gateway.records.identity import Named, Validity
from gateway.sync.link import Parcel
from gateway.transport import tls
from gateway.transport.certificate import self_signed
from gateway.transport.http_server import Visit
from tests import linked
from tests.linked import HOST, Known, Middle, Turnout, guests_of, said, started, until
from tests.people import Party, group_of, party, roster_of, run_of

HUB, ACE, BOLT, ELSE = (party(name) for name in ("hub", "ace", "bolt", "else"))
ALL = group_of(HUB, ACE, BOLT, purpose="all", chain=(roster_of(HUB, ACE, BOLT),))
PAIR = group_of(ACE, BOLT, purpose="pair", chain=(ALL.roster,))


def known(who: Party, *groups: Group) -> Known:
    """Give what a node knows to begin with."""
    return Known(guests_of(who, *(groups or (ALL,))))


def test_a_certificate_is_one_by_openssl_too(tmp_path: Path) -> None:
    """What is written by hand is what openssl reads: self-signed, Ed25519, of the key beside it."""
    pem = tmp_path / "made.pem"
    pem.write_text(self_signed(os.urandom(32)))
    verified = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", pem, pem], capture_output=True, text=True
    )
    assert verified.returncode == 0, verified.stderr
    keys = [
        subprocess.run(["openssl", *asked, "-in", pem], capture_output=True, text=True).stdout
        for asked in (("x509", "-noout", "-pubkey"), ("pkey", "-pubout"))
    ]
    assert keys[0] == keys[1] != ""


def test_two_behind_nat_are_carried_to_each_other() -> None:
    """Who only dials reaches the listener, and by it whoever else is linked, and nobody else."""
    hub, port = linked.listener(HUB, known(HUB))
    ace, bolt = linked.dialled(ACE, known(ACE), port), linked.dialled(BOLT, known(BOLT), port)
    with started(hub, ace, bolt) as (at_hub, at_ace, at_bolt):
        until(lambda: ace.direct == {HUB.node.id, BOLT.node.id})
        until(lambda: bolt.direct == {HUB.node.id, ACE.node.id})
        until(lambda: hub.direct == {ACE.node.id, BOLT.node.id})
        ace.say([said(to_node(BOLT.node.id), b"to bolt"), said(to_node(HUB.node.id), b"to hub")])
        ace.say([said(records_of(ALL.tag, ACE.node.id), b"to all")])
        hub.say([said(to_node(ACE.node.id), b"to ace"), said(heads_of(ALL.tag, HUB.node.id), b"h")])
        until(
            lambda: (
                at_bolt.payloads() == [b"to bolt", b"to all", b"h"] or len(at_bolt.heard_all) > 2
            )
        )
        until(lambda: len(at_hub.heard_all) == 2 and len(at_ace.heard_all) == 2)
    assert sorted(at_bolt.payloads()) == [b"h", b"to all", b"to bolt"]
    assert at_hub.payloads() == [b"to hub", b"to all"]
    assert {each.sender for each in at_hub.heard_all} == {ACE.node.id}
    assert at_ace.payloads() == [b"to ace", b"h"]
    assert {each.sender for each in at_ace.heard_all} == {HUB.node.id}
    assert {each.payload: each.sender for each in at_bolt.heard_all}[b"to bolt"] is None


def test_what_is_said_in_anothers_name_goes_nowhere() -> None:
    """On a group's topics a node is heard under its own name and in its own groups alone."""
    hub, port = linked.listener(HUB, known(HUB))
    ace, bolt = linked.dialled(ACE, known(ACE), port), linked.dialled(BOLT, known(BOLT), port)
    with started(hub, ace, bolt) as (at_hub, _, at_bolt):
        until(lambda: BOLT.node.id in ace.direct)
        ace.say([said(records_of(ALL.tag, BOLT.node.id), b"as bolt")])
        ace.say([said(records_of(PAIR.tag, ACE.node.id), b"to a group that the hub is not in")])
        ace.say([said(to_node(HUB.node.id), b"last"), said(to_node(BOLT.node.id), b"last")])
        until(lambda: at_bolt.heard_all and at_hub.heard_all)
    assert at_hub.payloads() == at_bolt.payloads() == [b"last"]
    assert hub.counts["link.alien"] == 2


def test_a_man_in_the_middle_is_refused_and_reads_nothing_that_is_carried() -> None:
    """Whoever ends TLS shows another certificate, so neither proof holds; the dialler says so."""
    hub, port = linked.listener(HUB, known(HUB))
    middle = Middle(port)
    ace = linked.dialled(ACE, known(ACE), middle.port)
    try:
        with started(hub, ace):
            until(lambda: ace.state == "down")
            ace.say([said(to_node(HUB.node.id), b"a secret")])
            assert ace.reason.startswith("link.intercepted"), ace.reason
            assert hub.counts["link.intercepted"] >= 1
            until(lambda: ace.counts["link.intercepted"] >= 2)  # It goes on trying.
            assert hub.direct == ace.direct == frozenset()
    finally:
        middle.stop()
    assert middle.read
    assert b"a secret" not in b"".join(middle.read)


def test_a_listener_that_starts_between_two_connections_is_no_man_in_the_middle() -> None:
    """Another certificate once is a new start; twice in a row, somebody in between."""
    (old, old_port), (new, new_port) = (linked.listener(HUB, known(HUB)) for _ in range(2))
    once = Turnout(old_port, new_port)
    ever = Turnout(*[old_port, new_port] * 20)
    ace, bolt = (
        linked.dialled(ACE, known(ACE), once.port),
        linked.dialled(BOLT, known(BOLT), ever.port),
    )
    try:
        with started(old, new):
            until(lambda: old.state == new.state == "up")
            with started(ace, bolt):
                until(lambda: ace.state == "up")
                until(lambda: bolt.counts["link.intercepted"])
                assert bolt.state == "down" and bolt.reason.startswith("link.intercepted")
    finally:
        once.stop()
        ever.stop()
    assert ace.counts == {"link.changed": 1}
    assert bolt.counts["link.changed"] == 1


def _expired() -> Party:
    """Give the ace under a certificate that was good for an hour."""
    ids, validity = (ACE.root.id, ACE.node.id), Validity(1_000_000, 1_003_600)
    node = identity.issue_node(ACE.root, ids, ACE.node.public, 1, Named("ace-gw", validity))
    return replace(ACE, node_certificate=node)


@pytest.fixture
def door() -> Iterator[tuple[Listener, int, Known]]:
    """Listen as the hub, that knows the time."""
    knows = known(HUB)
    knows.unix_ms = 1_795_262_400_000
    hub, port = linked.listener(HUB, knows)
    with started(hub):
        until(lambda: hub.state == "up")
        yield hub, port, knows


@pytest.mark.parametrize(
    ("who", "code"), [(ELSE, "group.not-a-member"), (_expired(), "link.expired")]
)
def test_who_is_none_of_us_hears_a_code_and_nothing_else(
    door: tuple[Listener, int, Known], who: Party, code: str
) -> None:
    """A stranger, and whose certificate has expired, is refused before the listener is named."""
    hub, port, _ = door
    dialler = linked.dialled(who, known(ACE), port)
    with started(dialler):
        until(lambda: dialler.state == "down")
        assert dialler.reason == f"link.refused: the other end refuses: {code}"
        assert hub.counts[code] >= 1
        assert hub.direct == frozenset()


def test_who_is_revoked_is_cut_and_not_let_in_again(
    door: tuple[Listener, int, Known],
) -> None:
    """A revocation counts at once, for who is linked too; the others stay."""
    hub, port, knows = door
    ace, bolt = linked.dialled(ACE, known(ACE), port), linked.dialled(BOLT, known(BOLT), port)
    with started(ace, bolt) as (at_ace, at_bolt):
        until(lambda: hub.direct == {ACE.node.id, BOLT.node.id})
        knows.revoke(ACE)
        hub.say([said(heads_of(ALL.tag, HUB.node.id), b"not for the revoked")])
        until(lambda: at_bolt.heard_all)
        until(lambda: "identity.revoked" in ace.reason)
        until(lambda: hub.direct == {BOLT.node.id})
        assert at_ace.payloads() == []


def test_who_left_a_group_hears_nothing_more_of_it(door: tuple[Listener, int, Known]) -> None:
    """From the moment it is known: not even what is said first; it stays linked as a contact."""
    hub, port, knows = door
    ace, bolt = linked.dialled(ACE, known(ACE), port), linked.dialled(BOLT, known(BOLT), port)
    with started(ace, bolt) as (at_ace, at_bolt):
        until(lambda: hub.direct == {ACE.node.id, BOLT.node.id})
        held = knows.guests.members[ALL.tag]
        left = tuple(each for each in held.members if each.node != ACE.node.id)
        members = {**knows.guests.members, ALL.tag: replace(held, members=left)}
        knows.guests = replace(knows.guests, members=members)
        hub.say([said(heads_of(ALL.tag, HUB.node.id), b"to members")])
        hub.say([said(to_node(ACE.node.id), b"to it alone")])
        until(lambda: at_ace.heard_all and at_bolt.heard_all)
        assert at_ace.payloads() == [b"to it alone"]
        assert at_bolt.payloads() == [b"to members"]


def test_connections_are_cut_in_their_own_thread(
    door: tuple[Listener, int, Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds out that a node is revoked: asyncio's tasks are nobody else's to end."""
    hub, port, knows = door
    cut_in, cut = set[str](), Visit.cut

    def noted(visit: Visit) -> None:
        cut_in.add(threading.current_thread().name)
        cut(visit)

    monkeypatch.setattr(Visit, "cut", noted)
    ace = linked.dialled(ACE, known(ACE), port)
    with started(ace):
        until(lambda: hub.direct == {ACE.node.id})
        knows.revoke(ACE)
        hub.say([said(heads_of(ALL.tag, HUB.node.id), b"to members")])
        until(lambda: cut_in)
    assert cut_in == {"link door"}


def test_a_dialler_finds_somebody_else_than_a_member() -> None:
    """The listener proves itself too: one that is not known is left, and tried again later."""
    stranger = known(ELSE, group_of(ELSE, ACE, purpose="theirs"))
    other, port = linked.listener(ELSE, stranger)
    ace = linked.dialled(ACE, known(ACE), port)
    with started(other, ace):
        until(lambda: ace.state == "down")
        assert ace.reason.startswith("group.not-a-member")
        until(lambda: ace.counts["group.not-a-member"] >= 2)


def test_a_listener_that_starts_again_is_found_again() -> None:
    """Its next start has another certificate; diallers prove themselves anew, and go on."""
    hub, port = linked.listener(HUB, known(HUB))
    ace = linked.dialled(ACE, known(ACE), port)
    with started(ace) as (at_ace,):
        with started(hub):
            until(lambda: ace.state == "up")
        until(lambda: ace.state == "down")
        again, _ = linked.listener(HUB, known(HUB), port)
        assert again.certificate != hub.certificate
        with started(again):
            until(lambda: ace.state == "up")
            again.say([said(to_node(ACE.node.id), b"back")])
            until(lambda: at_ace.payloads() == [b"back"])


def test_what_did_not_get_through_is_said_again() -> None:
    """What waited when a connection failed goes over the next one, live before backlog."""
    hub, port = linked.listener(HUB, known(HUB))
    ace = linked.dialled(ACE, known(ACE), port)
    with started(hub, ace) as (at_hub, _):
        until(lambda: ace.state == "up")
        at_hub.has_room = False
        ace.say([said(to_node(HUB.node.id), bytes([number])) for number in range(5)])
        until(ace.has_room)
        ace.say([said(to_node(HUB.node.id), b"backlog", backlog=True)])
        ace.say([said(to_node(HUB.node.id), b"live")])
        assert at_hub.heard_all == []
        at_hub.has_room = True
        hub.resume()
        until(lambda: len(at_hub.heard_all) == 7)
    assert at_hub.payloads()[:5] == [bytes([number]) for number in range(5)]
    assert at_hub.payloads()[5:] == [b"live", b"backlog"]


def test_older_tls_is_refused_by_both_ends(door: tuple[Listener, int, Known]) -> None:
    """Neither end speaks TLS 1.2."""
    hub, port, _ = door
    older = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    older.check_hostname, older.verify_mode = False, ssl.CERT_NONE
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((HOST, port)) as plain, pytest.raises(ssl.SSLError):
        older.wrap_socket(plain)
    until(lambda: hub.counts["link.tls"] == 1)
    context, _ = tls.listening_context(os.urandom(32))
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server((HOST, 0)) as server:
        ace = linked.dialled(ACE, known(ACE), server.getsockname()[1])
        with started(ace):
            accepted, _ = server.accept()
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(accepted, server_side=True)
            accepted.close()
            until(lambda: ace.reason.startswith("link.unreachable"))


def test_an_address_that_is_taken_is_told_and_tried_again() -> None:
    """Who cannot listen says why; once the address is free it listens."""
    with socket.create_server((HOST, 0)) as taken:
        hub, _ = linked.listener(HUB, known(HUB), taken.getsockname()[1])
        with started(hub):
            until(lambda: hub.state == "down")
            assert hub.reason.startswith("link.listen")
            taken.close()
            until(lambda: hub.state == "up")


def test_what_one_says_to_many_who_take_nothing_is_bounded() -> None:
    """However many are linked, and however much one of them says to each by itself."""
    many = [party(f"node {number}") for number in range(10)]
    all_of_them = HUB, ACE, *many
    crowd = group_of(*all_of_them, purpose="crowd", chain=(roster_of(*all_of_them),))
    knows = Known(guests_of(HUB, crowd))
    seats = Seats(linked.own_of(HUB, knows), Counter(), lambda _: None)
    sat = []
    for each in (ACE, *many):
        credentials = run_of(each).credentials
        sat.append(seats.sit(knows.guests.admit(credentials, 0), credentials, 0.0))
    for each in many:
        seats.say([Parcel(to_node(each.node.id), bytes(60_000))] * 20, sat[0])
    waiting = sum(each.waiting.size for each in sat if each is not None)
    assert CARRIED_BYTES_MAX - 100_000 < waiting <= CARRIED_BYTES_MAX
    seats.say([Parcel(to_node(ACE.node.id), bytes(60_000))], sat[1])
    assert sat[0] is not None and sat[0].waiting.size > 60_000
