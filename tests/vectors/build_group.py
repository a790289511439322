"""The vectors of group files: docs/protocol/group.md."""

from gateway.groups import group
from gateway.groups.group import Group
from gateway.records import cbor
from tests.damage import refusal
from tests.people import group_of, party, roster_of

MAKER, BUYER = party("maker"), party("buyer")


def expect(found: Group) -> dict[str, object]:
    """Give what a group file says, as JSON."""
    members = [[each.organisation.hex(), each.node.hex()] for each in found.founding.members]
    said = found.founding
    return {"id": found.id.hex(), "tag": found.tag, "purpose": said.purpose, "members": members}


def build() -> dict[str, object]:
    """Give the vectors as the JSON says them."""
    good = {"one member": group_of(MAKER), "two members": group_of(MAKER, BUYER)}
    files = {name: group.encode_file(each) for name, each in good.items()}
    return {
        "noun": "group",
        "chapter": "docs/protocol/group.md",
        "good": [
            {"name": name, "hex": file.hex(), "expect": expect(group.decode_file(file))}
            for name, file in files.items()
        ],
        "bad": [
            {"name": name, "hex": file.hex(), "error": _error(file)}
            for name, file in _bad(files["two members"]).items()
        ],
    }


def _error(file: bytes) -> str:
    return refusal(lambda: group.decode_file(file))


def _bad(file: bytes) -> dict[str, bytes]:
    said = cbor.decode(file, group.GROUP_FILE_BYTES_MAX)
    assert isinstance(said, dict)
    wrong: dict[str, tuple[int, object]] = {
        "version 2": (0, 2),
        "founding changed": (1, said[1][:-1] + bytes([said[1][-1] ^ 1])),
        "founding of another group": (1, group_of(BUYER, MAKER).encoded),
        "certificates missing": (2, []),
        "another roster": (3, roster_of(MAKER).encoded),
        "secret of 31 bytes": (4, bytes(31)),
        "an unknown field": (5, 0),
    }
    changed = {name: cbor.encode({**said, key: value}) for name, (key, value) in wrong.items()}
    return {"empty": b"", "cut": file[:-1], "a byte more": file + b"\x00", **changed}
