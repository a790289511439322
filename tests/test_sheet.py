"""Files that carry what a person signs, and bodies that hold it: no bytes escape their readers."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from gateway.activities import approval, mandate, order, sheet, stated, wording
from gateway.activities.approval import Approval, Verdict
from gateway.activities.sheet import Sheet
from gateway.activities.stated import Stated
from gateway.errors import MalformedApproval, MalformedMandate, MalformedOrder, MalformedSheet
from gateway.groups.group import Role
from gateway.records import record
from gateway.records.record import SALT_BYTES, Kind
from tests.damage import all_refused, flips, never_escapes, truncations
from tests.mutate import mutations
from tests.ordering import BUYER, MAKER, human, sides
from tests.vectors.build_mandate import MANDATE
from tests.vectors.build_order import ANNA, ORDER, SIGNED

SHOWN = approval.text(Verdict.APPROVE, order.text(ORDER, "en"), "en")
WORD = Approval(order.decode(SIGNED).hash, Verdict.APPROVE, wording.digest(SHOWN))
SHEETS = {
    "order": Sheet("order", order.encode(ORDER)),
    "approval": Sheet("approval", approval.encode(WORD), (SIGNED,)),
    "mandate": Sheet("mandate", mandate.encode(MANDATE)),
}
READERS: list[tuple[Callable[[bytes], object], bytes, Any]] = [
    *((sheet.decode, sheet.encode(each), MalformedSheet) for each in SHEETS.values()),
    (
        sheet.decode_signature,
        sheet.encode_signature(sheet.sign(ANNA, SHEETS["order"])),
        MalformedSheet,
    ),
    *(
        (partial(stated.decode, kind), stated.encode(kind, Stated(SIGNED, b"person")), fault)
        for kind, fault in (
            (Kind.ORDER, MalformedOrder),
            (Kind.APPROVAL, MalformedApproval),
            (Kind.MANDATE, MalformedMandate),
        )
    ),
]


@pytest.mark.parametrize(("decode", "whole", "branch"), READERS, ids=lambda each: "")
def test_no_bytes_escape_the_readers(
    decode: Callable[[bytes], object], whole: bytes, branch: Any
) -> None:
    """Any bytes are the noun or its own error; what is cut short is never one."""
    decode(whole)
    all_refused(decode, truncations(whole), branch)
    never_escapes(decode, list(flips(whole))[::7], branch)
    never_escapes(decode, mutations([each for _, each, _ in READERS], 300, seed=7), branch)


@pytest.mark.parametrize("what", SHEETS)
def test_what_is_signed_is_what_is_shown(what: str) -> None:
    """A sheet whose text would be another than the one that is signed is none."""
    shown, whole = SHEETS[what].text, sheet.encode(SHEETS[what])
    for each in list(flips(whole))[::11]:
        try:
            found = sheet.decode(each)
        except MalformedSheet:
            continue
        if found.text == shown and what == "mandate":
            # Who gives it is not in its text: it counts only under that person's own key.
            given = mandate.read(found.payload)
            assert replace(given, issuer=MANDATE.issuer) == MANDATE
        elif found.text == shown:
            assert found.payload == SHEETS[what].payload


def test_an_update_is_shown_from_the_record_that_commits_to_it() -> None:
    """An approval of a record shows its fields, and no others can be put beside that record."""
    _, buyer = sides()
    opened = buyer.open({BUYER: Role.INITIATOR, MAKER: Role.RECEIVER})
    (encoded, body) = buyer.on(
        lambda db: db.execute("SELECT encoded, body FROM records WHERE id = ?", (opened,)).get
    )
    named, text = sheet.subject((encoded, body), "en")
    assert (named, record.parse(encoded).id) == (opened, opened)
    word = Approval(
        opened, Verdict.APPROVE, wording.digest(approval.text(Verdict.APPROVE, text, "en"))
    )
    good = Sheet("approval", approval.encode(word), (encoded, body))
    assert sheet.sign(human("ben", BUYER).key, good).what == "approval"
    for wrong in (body[:-1] + b"\x00", body[:SALT_BYTES], b""):
        with pytest.raises(MalformedSheet):
            sheet.decode(sheet.encode(Sheet("approval", good.payload, (encoded, wrong))))
