"""A sealed group on real stores: members read, outsiders do not, and keys follow the members."""

from dataclasses import replace

import apsw
import pytest

from gateway import query
from gateway.errors import BadShare
from gateway.groups import announcement, membership as acts, seal, verdict
from gateway.groups.announcement import SenderKey
from gateway.groups.membership import Act, Add, Remove
from gateway.groups.ring import AGE_MS_MAX, RECORDS_MAX, Due
from gateway.query import Question
from gateway.records import proof, record
from gateway.records.feed import CBOR_TYPE, View
from gateway.records.record import Kind, Said
from gateway.records.sealing import key_hash
from gateway.store import acting, authoring, checking, keyring, membership, proofs, questions
from tests.damage import refusal
from tests.people import Party, group_of, party, roster_of, seed
from tests.sealed import Gateway, count, values

MAKER, BUYER, THIRD, OUTSIDER = (party(each) for each in ("maker", "buyer", "third", "outsider"))
EVERYBODY = (roster_of(MAKER, BUYER, THIRD, OUTSIDER),)
GROUP = group_of(MAKER, BUYER, THIRD, clear=False, chain=EVERYBODY)
OPEN = group_of(MAKER, BUYER, THIRD, chain=EVERYBODY)


def _trio() -> tuple[Gateway, Gateway, Gateway]:
    return Gateway(MAKER, GROUP), Gateway(BUYER, GROUP), Gateway(THIRD, GROUP)


def _act(gateway: Gateway, act: Act) -> None:
    """Have a member change the members, and see what comes of it."""
    gateway.say(Said(Kind.MEMBERSHIP, acts.encode(act), CBOR_TYPE))
    with gateway.db:
        membership.refold(gateway.db, GROUP.id)


def _announced(gateway: Gateway) -> list[announcement.Announcement]:
    found = []
    for each in gateway.records():
        said = record.parse(each.encoded)
        if said.kind is Kind.ANNOUNCEMENT:
            found.append(announcement.decode(record.check_body(said, each.body or b"")))
    return found


def test_what_one_member_writes_opens_at_the_others_and_nowhere_else() -> None:
    """Two members read it; an outsider who holds every record has no key, and no word of it."""
    maker, buyer, third = _trio()
    for number in range(5):
        maker.strokes(number)
    assert maker.kinds() == [Kind.GENESIS, Kind.ANNOUNCEMENT, *5 * [Kind.OBSERVATION]]
    outsider = Gateway(OUTSIDER, GROUP)
    for each in (buyer, third, outsider):
        each.hear(maker)
    for each in (maker, buyer, third):
        assert values(each, maker.feed) == [0, 1, 2, 3, 4]
        assert (count(each.db, "observations"), count(each.db, "unread")) == (5, 0)
    assert (values(outsider, maker.feed), count(outsider.db, "sender_keys")) == ([], 0)
    assert (count(outsider.db, "observations"), count(outsider.db, "unread")) == (0, 5)
    held = b"".join((each.encoded + (each.body or b"")) for each in outsider.records(maker.feed))
    assert b"strokes" not in held
    assert b"press-1" not in held


def test_the_archives_of_the_members_organisations_are_recipients() -> None:
    """A dead disk loses no content: an organisation's archive key opens what its node could."""
    maker, _, _ = _trio()
    place = maker.strokes(7)
    (said,) = _announced(maker)
    recipients = {share.key_id for share in said.shares}
    named = (MAKER, BUYER, THIRD)
    assert recipients == {key.id for each in named for key in (each.encryption, each.archive)}
    sender = announcement.open_share(said, GROUP.id, [BUYER.archive])
    assert sender is not None
    last = maker.records()[-1]
    assert last.body is not None
    assert seal.open_body(record.parse(last.encoded), last.body, sender.key)
    assert announcement.open_share(said, GROUP.id, [OUTSIDER.archive]) is None
    assert place & 0xFFFF == 2


def test_a_node_reads_itself_after_a_restart_under_a_fresh_key() -> None:
    """A new run announces another key; what the one before sealed still opens."""
    maker, buyer, _ = _trio()
    maker.strokes(1)
    first = maker.feed
    maker.start(1)
    maker.strokes(2)
    for name in (first, maker.feed):
        buyer.hear(maker, name)
    for each in (maker, buyer):
        assert values(each, first) == [1]
        assert values(each, maker.feed) == [2]
        assert len({each.key for each in keyring.held_of(each.db, GROUP.id)}) == 2


@pytest.mark.parametrize("removed", [BUYER, THIRD])
def test_who_was_removed_opens_nothing_that_was_said_after(removed: Party) -> None:
    """The next record after a removal is seen waits for a key that the removed is not given."""
    maker, buyer, third = _trio()
    gone = buyer if removed is BUYER else third
    stays = third if removed is BUYER else buyer
    maker.strokes(1)
    _act(maker, Remove(gone.who.node.id, ()))
    assert authoring.owed(maker.db, maker.author, maker.venue) is Due.MEMBERSHIP
    maker.strokes(2)
    assert authoring.owed(maker.db, maker.author, maker.venue) is None
    kinds = [Kind.ANNOUNCEMENT, Kind.OBSERVATION]
    assert maker.kinds() == [Kind.GENESIS, *kinds, Kind.MEMBERSHIP, *kinds]
    before, after = _announced(maker)
    (removal,) = [each for each in maker.records() if each.seq == 3]
    assert after.view.membership == (record.parse(removal.encoded).id,)
    assert (before.number, after.number, len(before.shares), len(after.shares)) == (1, 2, 6, 4)
    for each in (gone, stays):
        each.hear(maker)
    assert (values(gone, maker.feed), values(stays, maker.feed)) == ([1], [1, 2])
    keys = [*gone.keys, gone.who.archive]
    assert announcement.open_share(after, GROUP.id, keys) is None
    stays.strokes(3)
    assert stays.kinds() == [Kind.GENESIS, *kinds]
    gone.hear(stays)
    assert values(gone, stays.feed) == []


def test_who_is_added_reads_what_is_said_from_then_on_and_is_believed() -> None:
    """A newcomer by two organisations' word opens what follows, speaks, and its feed verifies."""
    maker, buyer, _ = _trio()
    maker.strokes(1)
    added = Add(OUTSIDER.member(), OUTSIDER.node_certificate)
    with maker.db:
        proposal = acting.propose(maker.db, maker.author, maker.venue, added)
    buyer.hear(maker)
    with buyer.db:
        acting.approve(buyer.db, buyer.author, buyer.venue, proposal)
    newcomer = Gateway(OUTSIDER, GROUP)
    maker.hear(buyer)
    maker.strokes(2)
    for other in (maker, buyer):
        newcomer.hear(other)
    assert values(newcomer, maker.feed) == [2]
    newcomer.strokes(3)
    maker.hear(newcomer)
    assert values(maker, newcomer.feed) == [3]
    tally = checking.verify_all(maker.db)
    assert (tally.ok, tally.unknown, tally.faults) == (True, 0, [])
    _act(maker, Remove(OUTSIDER.node.id, ()))
    assert checking.verify_all(maker.db).ok


def test_a_key_ends_with_a_day_and_with_ten_thousand_records() -> None:
    """Neither is passed: the announcement stands before the record that would."""
    maker, buyer, _ = _trio()
    maker.strokes(0)
    maker.now_ms += AGE_MS_MAX - 1
    maker.strokes(1)
    maker.now_ms += 1
    maker.strokes(2)
    assert [each.number for each in _announced(maker)] == [1, 2]
    with maker.db:
        for number in range(RECORDS_MAX - 2):
            authoring.say(maker.db, maker.author, maker.venue, _short(number))
    assert authoring.owed(maker.db, maker.author, maker.venue) is None
    maker.say(_short(0))
    assert authoring.owed(maker.db, maker.author, maker.venue) is Due.COUNT
    maker.strokes(4)
    assert [each.number for each in _announced(maker)] == [1, 2, 3]
    buyer.hear(maker)
    assert values(buyer, maker.feed) == [0, 1, 2, 4]
    numbers = [record.parse(each.encoded).key_number for each in maker.records()]
    assert (numbers.count(2), numbers.count(3)) == (RECORDS_MAX, 1)


def _short(number: int) -> Said:
    return Said(Kind.CORRECTION, b"%d" % number, "text/plain")


def test_a_key_is_changed_at_once_when_asked_and_nothing_is_opened_for_it() -> None:
    """`announce` announces now; where no feed is open there is nothing to change."""
    maker, buyer, _ = _trio()
    with maker.db:
        authoring.announce(maker.db, maker.author, maker.venue)
    assert maker.records() == []
    assert authoring.owed(maker.db, maker.author, maker.venue) is None
    with maker.db:
        assert authoring.begin(maker.db, maker.author, maker.venue).size == 2
        assert authoring.begin(maker.db, maker.author, maker.venue).size == 2
        authoring.announce(maker.db, maker.author, maker.venue)
    assert [each.number for each in _announced(maker)] == [1, 2]
    maker.strokes(1)
    buyer.hear(maker)
    assert values(buyer, maker.feed) == [1]
    assert record.parse(maker.records()[-1].encoded).key_number == 2


def test_what_cannot_be_said_leaves_nothing_announced() -> None:
    """The announcement and the record that needs it are one commit: both are there or neither."""
    maker, _, _ = _trio()
    with pytest.raises(Exception, match="bytes"), maker.db:
        authoring.say(
            maker.db, maker.author, maker.venue, Said(Kind.CORRECTION, bytes(49_152), "x")
        )
    assert [count(maker.db, each) for each in ("records", "sender_keys", "rings")] == [0, 0, 0]


def test_a_clear_group_says_only_a_changed_view() -> None:
    """Bodies stay clear, no key is made, and what is announced is who the members are."""
    maker = Gateway(MAKER, OPEN)
    maker.strokes(1)
    assert maker.kinds() == [Kind.GENESIS, Kind.OBSERVATION]
    maker.now_ms += 2 * AGE_MS_MAX
    maker.say(Said(Kind.MEMBERSHIP, acts.encode(Remove(THIRD.node.id, ())), CBOR_TYPE))
    with maker.db:
        membership.refold(maker.db, OPEN.id)
    maker.strokes(2)
    assert maker.kinds()[2:] == [Kind.MEMBERSHIP, Kind.ANNOUNCEMENT, Kind.OBSERVATION]
    (said,) = _announced(maker)
    assert (said.number, said.key_hash, said.shares, len(said.view.membership)) == (0, None, (), 1)
    assert count(maker.db, "sender_keys") == 0
    assert values(Gateway(BUYER, OPEN), maker.feed) == []
    assert {record.parse(each.encoded).key_number for each in maker.records()} == {0}
    assert checking.verify_all(maker.db).ok


def test_more_than_two_hundred_recipients_take_several_announcements_of_one_key() -> None:
    """Every recipient finds its share in one of them, and one key seals what follows."""
    maker, _, _ = _trio()
    more = [party(f"party {number}") for number in range(205)]
    (number,) = maker.db.execute("SELECT in_group FROM views").fetchall()[0]
    with maker.db:
        maker.db.executemany(
            "INSERT INTO members VALUES (?, ?, ?, ?, ?)",
            [
                (number, each.node.id, MAKER.root.id, each.encryption_certificate, b"\x01")
                for each in more
            ],
        )
    maker.strokes(1)
    assert maker.kinds() == [Kind.GENESIS, Kind.ANNOUNCEMENT, Kind.ANNOUNCEMENT, Kind.OBSERVATION]
    said = _announced(maker)
    assert [len(each.shares) for each in said] == [200, 205 + 6 - 200]
    assert len({(each.number, each.key_hash) for each in said}) == 1
    for each in more:
        opened = [announcement.open_share(one, GROUP.id, [each.encryption]) for one in said]
        assert len([one for one in opened if one is not None]) == 1


def test_another_key_under_a_number_already_announced_is_refused() -> None:
    """The first announcement in a feed says which key a number is."""
    maker, buyer, _ = _trio()
    maker.strokes(1)
    wrong = SenderKey(GROUP.id, maker.feed, 1, seed("another key"))
    view = View(GROUP.roster.hash)
    again = announcement.announce(wrong, view, [BUYER.encryption.public], [seed("ephemeral")])
    maker.say(Said(Kind.ANNOUNCEMENT, announcement.encode(again), CBOR_TYPE))
    maker.strokes(2)
    buyer.hear(maker)
    assert [type(each) for each in buyer.faults] == [BadShare]
    assert values(buyer, maker.feed) == [1, 2]


def test_an_announcement_that_cannot_be_read_is_stored_and_stops_nobody() -> None:
    """It gives no key, its fault is said, and the feed goes on."""
    maker, buyer, _ = _trio()
    maker.strokes(1)
    maker.say(Said(Kind.ANNOUNCEMENT, b"\xa0", CBOR_TYPE))
    maker.strokes(2)
    buyer.hear(maker)
    assert [each.code for each in buyer.faults] == ["announcement.malformed"]
    assert values(buyer, maker.feed) == [1, 2]
    assert checking.verify_all(buyer.db).invalid > 0


def test_questions_and_checks_say_what_is_sealed_here() -> None:
    """What opens is answered and valid; what does not is sealed: neither invalid nor missing."""
    maker, buyer, _ = _trio()
    for number in range(4):
        maker.strokes(number)
    outsider = Gateway(OUTSIDER, GROUP)
    for each in (buyer, outsider):
        each.hear(maker)
    question, here = Question(), bytes(16)
    answer = query.answer(question, questions.select(buyer.db, question, here))
    assert [row.reading.value for row in answer.rows] == [0, 1, 2, 3]
    assert (answer.bodies_missing, questions.sealed(buyer.db, question)) == (0, 0)
    assert questions.sealed(outsider.db, question) == 4
    assert questions.sealed(outsider.db, replace(question, group="sealed")) == 4
    assert questions.sealed(outsider.db, replace(question, group="other")) == 0
    assert questions.sealed(outsider.db, replace(question, organisation=BUYER.root.id)) == 0
    tally = checking.verify_all(buyer.db)
    assert (tally.valid, tally.invalid, tally.unknown, tally.ok) == (6, 0, 0, True)
    tally = checking.verify_all(outsider.db)
    assert (tally.valid, tally.invalid, tally.unknown, tally.sealed) == (2, 0, 4, 4)
    assert tally.ok
    assert checking.indexes(buyer.db) == checking.indexes(outsider.db) == []
    last = record.parse(maker.records()[-1].encoded).id.hex()
    assert not questions.find(buyer.db, last).is_sealed
    assert questions.find(outsider.db, last).is_sealed


def test_a_proof_opens_one_sealed_record_to_an_auditor() -> None:
    """It shows salt and content, holds by one roster's hash, and gives no key away."""
    maker, buyer, _ = _trio()
    maker.strokes(1)
    maker.strokes(2)
    buyer.hear(maker)
    last = record.parse(maker.records()[-1].encoded)
    shown = proofs.of(buyer.db, questions.find(buyer.db, last.id.hex()))
    encoded = proof.encode(shown)
    found = verdict.judge(encoded, [GROUP.roster.hash])
    statements = {each.name: each.held for each in found.statements}
    assert (found.holds, statements["body"]) == (True, True)
    assert b"strokes" in encoded
    keys = [each.key for each in keyring.held_of(buyer.db, GROUP.id)]
    assert keys
    assert not any(key in encoded or seal.own_key(last, key) in encoded for key in keys)
    assert shown.opening is not None
    lie = replace(shown.opening, content=shown.opening.content[:-1] + b"\x07")
    judged = verdict.judge(proof.encode(replace(shown, opening=lie)), [GROUP.roster.hash])
    assert not judged.holds


def test_a_flipped_bit_in_a_kept_key_is_found() -> None:
    """A key that is not the one announced is named by the deep check, and opens nothing."""
    maker, _, _ = _trio()
    maker.strokes(1)
    assert checking.keys(maker.db) == []
    key = maker.db.execute("SELECT key FROM sender_keys").get
    assert isinstance(key, bytes)
    with maker.db:
        maker.db.execute("UPDATE sender_keys SET key = ?", (bytes([key[0] ^ 1]) + key[1:],))
    (fault,) = checking.keys(maker.db)
    assert "key 1" in fault
    assert checking.verify_all(maker.db).invalid == 1


def test_steady_records_read_one_row_for_their_key() -> None:
    """What a record costs does not grow with the members: they are read only to announce."""
    maker, _, _ = _trio()
    maker.strokes(1)
    asked: list[str] = []
    maker.db.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: asked.append(str(event["sql"])))
    maker.say(_short(1))
    maker.db.trace_v2(0, None)
    assert asked
    assert not [each for each in asked if " members" in each or "rosters" in each]
    assert len([each for each in asked if "sender_keys" in each]) == 1


def test_opened_keys_open_no_more_than_their_feed() -> None:
    """Another run's record does not open under this one's key, nor this one's under another's."""
    maker, buyer, _ = _trio()
    maker.strokes(1)
    buyer.strokes(1)
    one, two = maker.records()[-1], buyer.records()[-1]
    keys = [keyring.held_of(each.db, GROUP.id)[0].key for each in (maker, buyer)]
    assert key_hash(keys[0]) != key_hash(keys[1])
    for each, key in ((one, keys[1]), (two, keys[0])):
        said, body = record.parse(each.encoded), each.body or b""
        refusal(lambda said=said, body=body, key=key: seal.open_body(said, body, key))  # type: ignore[misc]
