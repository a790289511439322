"""The format of a proof, step 1 of docs/protocol/proof.md: bytes come in, its members go out."""

from typing import Any

from tests.oracle.signed import is_bytes, is_number, is_text, need, read

Said = dict[int, Any]


def are_certificates(value: object) -> bool:
    """Say whether a value has the form of three certificates."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(is_bytes(each) and len(each) <= 1024 for each in value)
    )


def is_list(value: object, low: int, high: int) -> bool:
    """Say whether a value is a list of so many."""
    return isinstance(value, list) and low <= len(value) <= high


def is_path(value: object) -> bool:
    """Say whether a value is a path."""
    return (
        isinstance(value, list) and len(value) <= 53 and all(is_bytes(each, 32) for each in value)
    )


def parts_of(encoded: bytes) -> Said:
    """Read a proof by its format, step 1."""
    said = read(encoded, 24 * 1024 * 1024)
    need(isinstance(said, dict) and set(said) <= set(range(13)))
    need(type(said.get(0)) is int and said[0] == 1)
    need(1 not in said or (is_bytes(said[1]) and len(said[1]) <= 2048))
    if 2 in said:
        need(is_list(said[2], 2, 2) and all(map(is_bytes, said[2])))
        need(len(said[2][0]) == 32 and len(said[2][0] + said[2][1]) <= 16 * 1024 * 1024)
    if 5 in said:
        need(is_list(said[5], 1, 64))
        for row in said[5]:
            check_receipt(row)
    need(9 not in said or are_certificates(said[9]))
    if 10 in said:
        need(is_list(said[10], 1, 1) and is_bytes(said[10][0]))
    if 11 in said:
        need(is_list(said[11], 2, 2) and is_bytes(said[11][0]))
        need(len(said[11][0]) <= 65_536 and are_certificates(said[11][1]))
    if 12 in said:
        need(11 in said and is_list(said[12], 1, 1024))
        for row in said[12]:
            need(is_list(row, 2, 2) and all(map(is_bytes, row)))
            need(len(row[0]) <= 2048 and len(row[1]) <= 40_960)
    if set(said) & {3, 4, 6, 7, 8}:
        check_way(said)
    return dict(said)


def check_receipt(row: object) -> None:
    """Check the form of an ACK or a receipt record with its certificates and path."""
    need(is_list(row, 3, 4))
    assert isinstance(row, list)
    need(is_bytes(row[0]) and len(row[0]) <= (65_536 if len(row) == 3 else 2048))
    need(len(row) == 3 or (is_bytes(row[1]) and len(row[1]) <= 40_960))
    need(are_certificates(row[-2]) and is_path(row[-1]))


def check_way(said: Said) -> None:
    """Check the form of the way to a checkpoint, and of its cosignatures."""
    need({3, 4, 6, 7} <= set(said) and is_path(said[3]) and is_list(said[4], 3, 3))
    feed, size, root = said[4]
    need(is_bytes(feed, 32) and is_number(size, 1) and is_bytes(root, 32))
    need(is_list(said[6], 2, 2) and is_number(said[6][0]) and is_path(said[6][1]))
    need(is_list(said[7], 2, 2) and is_bytes(said[7][0]) and len(said[7][0]) <= 1024)
    need(are_certificates(said[7][1]))
    if 8 in said:
        need(is_list(said[8], 1, 64) and all(is_text(each, 256) for each in said[8]))
