"""A real broker as a mailbox: what is posted lies there, for who comes later, and nobody else."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from gateway.config import Link
from gateway.errors import MailboxUnusable
from gateway.peers.mailbox import Mailboxes, Place
from tests.broker import Broker

ONE, OTHER = Place("00" * 16, "a"), Place("00" * 16, "b")
STRANGE = Place("11" * 16, "a")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Give a broker."""
    started = Broker(tmp_path)
    yield started
    started.stop()


def link_to(broker: Broker) -> Link:
    return Link(name="partners", url=broker.url, client_id="hulian-a-partners")


def at(broker: Broker, *places: Place) -> Mailboxes:
    tags = sorted({each.tag for each in places})
    return Mailboxes([link_to(broker)], tags, token_hex(4))


def test_what_is_posted_lies_there_for_who_comes_later(broker: Broker) -> None:
    """A document is read by a later connection, in the place where it was posted alone."""
    with at(broker, ONE, STRANGE) as box:
        box.post(ONE, b"first")
        box.post(STRANGE, b"another")
    with at(broker, ONE) as box:
        assert box.read() == {ONE: (b"first",)}
        box.post(OTHER, b"answer")
        assert box.read() == {ONE: (b"first",), OTHER: (b"answer",)}


def test_a_later_document_takes_the_place_and_nothing_clears_it(broker: Broker) -> None:
    """A side has one document at a time, and can take it away."""
    with at(broker, ONE) as box:
        for content in (b"first", b"second"):
            box.post(ONE, content)
    with at(broker, ONE) as box:
        assert box.read() == {ONE: (b"second",)}
        box.post(ONE, b"")
    with at(broker, ONE) as box:
        assert box.read() == {}


def test_many_documents_are_all_heard(broker: Broker) -> None:
    """More documents than a broker has in flight are read whole."""
    places = [Place(ONE.tag, f"{number:032x}") for number in range(60)]
    with at(broker, ONE) as box:
        for place in places:
            box.post(place, place.slot.encode() * 500)
    with at(broker, ONE) as box:
        assert sorted(box.read()) == places


def test_who_is_there_already_hears_what_comes(broker: Broker) -> None:
    """An open mailbox sees what the other side posts meanwhile."""
    with at(broker, ONE) as box, at(broker, ONE) as other:
        other.post(OTHER, b"answer")
        box.wait(5)
        assert box.read() == {OTHER: (b"answer",)}


def test_a_broker_that_is_away_is_said(tmp_path: Path) -> None:
    """Without a broker there is an error with its address, and nothing is left running."""
    broker = Broker(tmp_path)
    broker.stop()
    with pytest.raises(MailboxUnusable, match=str(broker.port)), at(broker, ONE):
        pass


def test_one_broker_of_two_suffices(broker: Broker, tmp_path: Path) -> None:
    """A link that is down does not stop the other."""
    (tmp_path / "gone").mkdir()
    gone = Broker(tmp_path / "gone")
    gone.stop()
    with Mailboxes([link_to(gone), link_to(broker)], [ONE.tag], token_hex(4)) as box:
        box.post(ONE, b"first")
    with at(broker, ONE) as box:
        assert box.read() == {ONE: (b"first",)}


def test_a_broker_that_keeps_nothing_for_us_is_said(tmp_path: Path) -> None:
    """Where we may not write, posting fails and says so: nobody waits for what is not there."""
    (tmp_path / "acl").write_text("topic read hl/1/i/#\n")
    broker = Broker(tmp_path, f"acl_file {tmp_path / 'acl'}")
    try:
        with at(broker, ONE) as box, pytest.raises(MailboxUnusable, match="kept"):
            box.post(ONE, b"first")
    finally:
        broker.stop()
