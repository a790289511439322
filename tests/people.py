"""Organisations, nodes, groups and runs for tests, made from names: the same bytes every time.

In: names and numbers. Out: keys, certificates, rosters, groups, records. Never: real keys.
"""

import dataclasses
from dataclasses import dataclass
from hashlib import sha256

from gateway.groups import group
from gateway.groups.group import ActivityKind, Founding, Group, Member, Policies, Role
from gateway.records import identity, note, roster, run
from gateway.records.checkpoint import witness_name
from gateway.records.cose import SigningKey
from gateway.records.feed import Feed, View
from gateway.records.identity import EncryptionKey, Named
from gateway.records.record import ClockSource, Kind, Moment, Said
from gateway.records.roster import Organisation, Roster
from gateway.records.run import Origin, Run, Written

BOOT = bytes.fromhex("b007000000000001")
NO_POLICIES = Policies()
SENML_TYPE = "application/senml+cbor"


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation with one node: all keys and certificates of both."""

    name: str
    root: SigningKey
    archive: EncryptionKey
    node: SigningKey
    encryption: EncryptionKey
    node_certificate: bytes
    encryption_certificate: bytes
    has_witness: bool = False

    @property
    def witness(self) -> SigningKey:
        """Give the key of this organisation's witness."""
        return SigningKey(seed(f"{self.name} witness"))

    @property
    def organisation(self) -> Organisation:
        """Give the row of this organisation in a roster."""
        witness = self.witness.public if self.has_witness else None
        return Organisation(self.root.id, self.name, self.root.public, self.archive.public, witness)

    def cosign(self, text: str, unix_s: int = 1_795_262_400) -> str:
        """Cosign a checkpoint as this organisation's witness; give the line."""
        return note.cosign(witness_name(self.root.id), self.witness, text, unix_s)

    def member(self, *roles: Role) -> Member:
        """Give this organisation's node as a member of a group."""
        certificate = identity.decode(self.encryption_certificate, "encryption")
        return Member(self.root.id, certificate, roles or (Role.RECEIVER,))


def witnessed(who: Party) -> Party:
    """Give the same party with a witness."""
    return dataclasses.replace(who, has_witness=True)


def seed(name: str) -> bytes:
    """Give 32 bytes that are always the same for a name."""
    return sha256(b"hulian tests " + name.encode()).digest()


def party(name: str) -> Party:
    """Make an organisation, its node, and their certificates."""
    root, node = SigningKey(seed(f"{name} root")), SigningKey(seed(f"{name} node"))
    encryption = EncryptionKey(seed(f"{name} encryption"))
    return Party(
        name,
        root,
        EncryptionKey(seed(f"{name} archive")),
        node,
        encryption,
        identity.issue_node(root, (root.id, node.id), node.public, 1, Named(f"{name}-gw")),
        identity.issue_encryption(node, node.id, encryption.public),
    )


def roster_of(*parties: Party, name: str = "consortium") -> Roster:
    """Make roster 0 of these organisations, signed by all."""
    payload = roster.compose(name, [each.organisation for each in parties])
    signatures = [roster.sign(each.root, payload) for each in parties]
    return roster.decode(roster.assemble(payload, signatures))


def admitted(before: Roster, *newcomers: Party, by: tuple[Party, ...]) -> Roster:
    """Make the roster after another: with newcomers, signed by them and by the quorum given."""
    organisations = [*before.organisations, *(each.organisation for each in newcomers)]
    payload = roster.compose_next(before, organisations)
    signatures = [roster.sign(each.root, payload) for each in (*by, *newcomers)]
    return roster.decode_next(roster.assemble(payload, signatures), before)


def run_of(who: Party, number: int = 0) -> Run:
    """Start the numbered run of a node."""
    fresh = seed(f"{who.name} run {number}")
    return run.start(who.node, who.node_certificate, who.encryption_certificate, fresh)


def group_of(
    *parties: Party,
    purpose: str = "pressing",
    clear: bool = True,
    chain: tuple[Roster, ...] = (),
    policies: Policies = NO_POLICIES,
) -> Group:
    """Found a group: the first is the initiator, the others receive."""
    chain = chain or (roster_of(*parties),)
    within, founder = chain[-1], run_of(parties[0])
    roles = [Role.INITIATOR] + [Role.RECEIVER] * (len(parties) - 1)
    founding = Founding(
        seed(f"{purpose} nonce"),
        within.consortium,
        within.hash,
        purpose,
        ActivityKind.INDUSTRIAL,
        tuple(each.member(role) for each, role in zip(parties, roles, strict=True)),
        clear,
        policies,
    )
    founded = group.found(founder.key, founder.credentials, founding, within)
    secret = seed(f"{purpose} secret")
    return dataclasses.replace(founded, secret=secret, earlier=chain[:-1])


def moment(number: int = 0) -> Moment:
    """Give a moment under a set clock, a second later for each number."""
    later_ms = 1000 * number
    return Moment(1_795_262_400_000 + later_ms, 50, ClockSource.NTP, BOOT, 60_000 + later_ms)


def observation(number: int = 0, size: int = 12) -> Said:
    """Say something with a content of a given size."""
    content = (number.to_bytes(4, "big") * (size // 4 + 1))[:size]
    return Said(Kind.OBSERVATION, content, SENML_TYPE)


def opened(by: Run, within: Group) -> Written:
    """Open the feed of a run in a group."""
    origin = Origin((), View(within.roster.hash))
    return by.begin(within.id, origin, moment(), seed("salt 0"))


def chain(by: Run, within: Group, count: int) -> list[Written]:
    """Write a genesis and observations after it, `count` records in all."""
    written = [opened(by, within)]
    for number in range(1, count):
        written.append(after(by, written[-1].feed, number))
    return written


def after(by: Run, feed: Feed, number: int) -> Written:
    """Write the numbered observation after a feed."""
    return by.write(feed, observation(number), moment(number), seed(f"salt {number}"))
