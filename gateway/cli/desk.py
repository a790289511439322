"""This gateway at its mailboxes, for the length of one command: what lies there, what to answer.

In: the state directory and the links of the config. Out: how each consortium stands, who waits; and
answers, posted before the command ends. Whatever is learnt is kept first. What cannot be read stops
nobody: it is told.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from secrets import token_hex

from gateway.cli import place
from gateway.clock import KernelClock, random_bytes
from gateway.config import Link
from gateway.errors import AuthorError, GatewayError, MalformedDocument, NoLink
from gateway.groups import admission, evidence, pairing, rivals
from gateway.groups.admission import Standing
from gateway.groups.pairing import (
    INVITER,
    JOINER,
    NONCE_BYTES,
    Answer,
    Applicant,
    Document,
    Invited,
    Motion,
    Newcomer,
    Notice,
    Offer,
    Outcome,
    Paper,
)
from gateway.peers.mailbox import Mailboxes, Place
from gateway.records import identity
from gateway.records.roster import Roster
from gateway.store import found, pairing as kept_pairing, signing, state
from gateway.store.pairing import Invitation, Kept, Stage
from gateway.store.state import Contact, State

_CLEARED_S = 30 * 24 * 3600  # after an invitation's end, so that late comers read why


def now_s() -> int | None:
    """Give the wall clock in seconds, None while it is not set."""
    return KernelClock().now().unix_ms // 1000 or None


def links() -> Sequence[Link]:
    """Give the links of the config over brokers; raise NoLink where there is none."""
    found = [each for each in place.config().link if each.kind == "mqtt"]
    if not found:
        raise NoLink(path=place.config_path())
    return found


@contextmanager
def mailboxes(secrets: Sequence[bytes]) -> Iterator[Mailboxes]:
    """Open the mailboxes of these secrets at the links of the config; raise NoLink."""
    tags = [pairing.mailbox(each).tag for each in secrets]
    with Mailboxes(links(), tags, token_hex(4)) as box:
        yield box


@contextmanager
def attended() -> Iterator["Desk"]:
    """Read all mailboxes of this gateway, and answer when the command is done."""
    held = state.load(place.state_dir())
    kept = kept_pairing.load(held.path)
    secrets = [each.secret for each in kept.invitations]
    secrets += [each.secret for each in kept.shared.values()]
    if not secrets:
        yield Desk(held, kept, None)
        return
    with mailboxes(secrets) as box:
        desk = Desk(held, kept, box)
        yield desk
        desk.answer()


class Desk:
    """What one command works on."""

    def __init__(self, held: State, kept: Kept, box: Mailboxes | None) -> None:
        self.held, self.kept, self.now_s = held, kept, now_s()
        self.faults: list[GatewayError] = []
        self.standings: dict[bytes, Standing] = {}
        self._box = box
        self._lying = {} if box is None else box.read()
        for consortium in {each.consortium for each in held.rosters.values()}:
            self._listen(consortium)
        self.kept = replace(kept, invitations=tuple(map(self._hear, kept.invitations)))

    def standing(self, invitation: Invitation) -> Standing:
        """Say how the consortium stands into which an invitation leads."""
        return self.standings[invitation.consortium]

    def adopt(self, consortium: bytes, standing: Standing) -> None:
        """Keep what has become of a consortium."""
        before = self.held.chain(consortium)
        for grown in standing.chain[len(before) :]:
            state.keep_roster(self.held.path, grown)
        if len(standing.chain) > len(before):
            self.held = state.load(self.held.path)  # so that newcomers are known as members
        for node, (certificate, encryption) in standing.contacts.items():
            if node != self.held.node_id:
                _keep_contact(self.held, certificate, encryption)
        for revocation in standing.revocations:
            kept_pairing.keep_revocation(self.held.path, revocation)
        shared = self.kept.shared.get(consortium)
        motions = tuple(standing.motions[each] for each in sorted(standing.motions))
        if shared is not None and shared.motions != motions:
            self.kept.shared[consortium] = replace(shared, motions=motions)
            kept_pairing.keep(self.held.path, self.kept.shared[consortium])
        self.standings[consortium] = standing

    def update(self, invitation: Invitation) -> None:
        """Keep what has become of an invitation."""
        kept_pairing.keep(self.held.path, invitation)
        others = (each for each in self.kept.invitations if each.secret != invitation.secret)
        self.kept = replace(self.kept, invitations=(*others, invitation))

    def paper(self, invitation: Invitation) -> Paper | None:
        """Give what the one who answered the invitation has said."""
        return None if invitation.paper is None else pairing.decode(invitation.paper)

    def signed(self, said: Document) -> bytes:
        """Sign a document as this gateway."""
        certificates = (self.held.node, self.held.encryption)
        return pairing.encode(said, self.held.node_key, certificates)

    def answer(self) -> None:
        """Post what each mailbox of ours is to say now."""
        for invitation in self.kept.invitations:
            self._answer(invitation)
        for consortium, shared in self.kept.shared.items():
            if consortium in self.standings:
                slot = pairing.slot(shared.secret, self.held.node_id)
                self.post(shared.secret, slot, self.signed(self._notice(consortium)))

    def post(self, secret: bytes, slot: str, document: bytes | None) -> None:
        """Let a document lie in a slot, or nothing; what lies there already stays as it is."""
        box = pairing.mailbox(secret)
        where = Place(box.tag, slot)
        lying = self._lying.get(where, ())
        if self._box is None or (document is None and not lying):
            return
        if (
            document is not None
            and lying
            and all(says(box, where, each, document) for each in lying)
        ):
            return
        sealed = b""
        if document is not None:
            sealed = pairing.seal(box, slot, document, random_bytes(NONCE_BYTES))
        self._box.post(where, sealed)

    def let_in(self, motion: Motion, consortium: bytes) -> None:
        """Answer another member's invitation: who completes the quorum lets the joiner in."""
        secret = motion.secret
        if secret is None or secret in [each.secret for each in self.kept.invitations]:
            return
        closed = pairing.mailbox(secret)
        with mailboxes([secret]) as box:
            for content in box.read().get(Place(closed.tag, JOINER), ())[:1]:
                paper = self._open(secret, JOINER, content)
                if paper is not None:
                    answer = self.signed(self._admitted(consortium, paper.author.key))
                    sealed = pairing.seal(closed, INVITER, answer, random_bytes(NONCE_BYTES))
                    box.post(Place(closed.tag, INVITER), sealed)

    def _listen(self, consortium: bytes) -> None:
        chain = self.held.chain(consortium)
        shared = self.kept.shared.get(consortium)
        motions = () if shared is None else shared.motions
        standing = admission.standing_of(chain, motions)
        if shared is not None:
            box = pairing.mailbox(shared.secret)
            papers = [
                paper
                for where, contents in self._lying.items()
                if where.tag == box.tag
                for content in contents
                if (paper := self._open(shared.secret, where.slot, content)) is not None
                and paper.author.node is not None
                and where.slot == pairing.slot(shared.secret, paper.author.node.subject)
            ]
            self._compare(standing, papers)
            standing = admission.merge(standing, papers)
        self.adopt(consortium, standing)

    def _compare(self, standing: Standing, papers: Sequence[Paper]) -> None:
        """Leave evidence, for the gateway to tell, of who signed two rosters of one number."""
        notices = [each.said for each in papers if isinstance(each.said, Notice)]
        moved = [standing.motions.values(), *(each.motions for each in notices)]
        said = [one.proposal for motions in moved for one in motions]
        said += [each for notice in notices for each in notice.rosters]
        every = [*(each.encoded for each in standing.chain), *sorted(set(said))]
        known = {each.hash: each for each in standing.chain}
        for each in rivals.signed_twice(every, known):
            found.leave(self.held.path, evidence.encode(each))

    def _hear(self, invitation: Invitation) -> Invitation:
        """Remember who answered first; its later words replace its earlier ones."""
        where = Place(pairing.mailbox(invitation.secret).tag, JOINER)
        known = self.paper(invitation)
        for content in self._lying.get(where, ()):
            paper = self._open(invitation.secret, JOINER, content)
            if paper is None or invitation.stage is not Stage.OPEN:
                continue
            if not self._is_for(invitation, paper):
                continue
            if known is None and invitation.has_expired(self.now_s):
                continue
            if known is None or known.author.key == paper.author.key:
                box = pairing.mailbox(invitation.secret)
                said = pairing.open_sealed(box, JOINER, content)
                heard_s = self.now_s if known is None else invitation.heard_s
                invitation = replace(invitation, paper=said, heard_s=heard_s)
                kept_pairing.keep(self.held.path, invitation)
        return invitation

    def _is_for(self, invitation: Invitation, paper: Paper) -> bool:
        try:
            if invitation.invited is Invited.ORGANISATION:
                standing = self.standing(invitation)
                admission.check_applicant(paper, standing.newest, standing.attempt)
            elif not isinstance(paper.said, Newcomer):
                raise MalformedDocument(reason="it is no gateway's request")
        except MalformedDocument as fault:
            self.faults.append(fault)
            return False
        return True

    def _open(self, secret: bytes, slot: str, content: bytes) -> Paper | None:
        try:
            return pairing.decode(pairing.open_sealed(pairing.mailbox(secret), slot, content))
        except MalformedDocument as fault:
            self.faults.append(fault)
            return None

    def _answer(self, invitation: Invitation) -> None:
        end_s = invitation.expires_s
        if None not in (end_s, self.now_s) and (self.now_s or 0) > (end_s or 0) + _CLEARED_S:
            for slot in (INVITER, JOINER):
                self.post(invitation.secret, slot, None)
            kept_pairing.forget(self.held.path, invitation)
            return
        said = self._said(invitation)
        if isinstance(said, Answer) and said.outcome is Outcome.ADMITTED:
            self.update(replace(invitation, stage=Stage.ADMITTED))
            self._meet(invitation)
        self.post(invitation.secret, INVITER, self.signed(said))

    def _meet(self, invitation: Invitation) -> None:
        """Keep the gateway that was admitted, so that groups can be made with it at once."""
        paper = self.paper(invitation)
        if paper is None:
            return
        node = paper.author.node
        certificate = invitation.certificate if node is None else node.encoded
        if certificate is not None:
            _keep_contact(self.held, certificate, paper.author.encryption.encoded)

    def _said(self, invitation: Invitation) -> Offer | Answer:
        """Say what an invitation says now to whoever looks."""
        if invitation.stage is Stage.REFUSED:
            return Answer(Outcome.REFUSED)
        standing, paper = self.standing(invitation), self.paper(invitation)
        if paper is None:
            if invitation.has_expired(self.now_s):
                return Answer(Outcome.EXPIRED)
            return self.offer(invitation)
        key = paper.author.key
        if self._is_in(invitation, paper):
            where = Place(pairing.mailbox(invitation.secret).tag, JOINER)
            if invitation.stage is Stage.ADMITTED and where not in self._lying:
                return Answer(Outcome.USED, key)  # whoever it was for has taken the answer
            return self._admitted(invitation.consortium, key, invitation.certificate)
        if isinstance(paper.said, Newcomer):
            return Answer(Outcome.WAITING, key, (self.own_name,))
        said = admission.check_applicant(paper, standing.newest, standing.attempt)
        if said is None:
            return self.offer(invitation)
        waiting = self.waiting_for(standing, said)
        return Answer(Outcome.WAITING, key, waiting)

    @property
    def own_name(self) -> str:
        """Name the organisation of this gateway."""
        return signing.own(self.held.path).name

    def waiting_for(self, standing: Standing, said: Applicant) -> tuple[str, ...]:
        """Name those whose signature an applicant still waits for."""
        for motion in standing.open_motions():
            if said.organisation.id in [each.id for each in motion.change.joining]:
                return tuple(each.name for each in motion.missing.among)
        return (self.own_name,)

    def offer(self, invitation: Invitation) -> Offer:
        """Give what an open invitation offers."""
        standing = self.standing(invitation)
        shown = [each for at in range(standing.attempt) for each in standing.shown(at)]
        rosters = tuple(each.encoded for each in standing.chain)
        times = (invitation.made_s, invitation.expires_s)
        return Offer(invitation.invited, rosters, *times, tuple(shown))

    def _is_in(self, invitation: Invitation, paper: Paper) -> bool:
        match paper.said:
            case Applicant(organisation=row):
                return row.id in _members(self.standing(invitation).newest)
            case Newcomer():
                return invitation.certificate is not None
        return False

    def _admitted(self, consortium: bytes, to: bytes, certificate: bytes | None = None) -> Answer:
        """Give all that who is admitted needs; a gateway of ours gets all that we have."""
        own = certificate is not None
        wanted = [consortium, *(each for each in self.standings if own and each != consortium)]
        chains = [tuple(each.encoded for each in self.standings[one].chain) for one in wanted]
        secrets = [(one, self.kept.shared[one].secret) for one in wanted if one in self.kept.shared]
        ours = (self.held.node, self.held.encryption)
        contacts = [(each.node.encoded, each.encryption.encoded) for each in self._contacts(wanted)]
        found = (tuple(chains), tuple(secrets), (ours, *contacts))
        return Answer(Outcome.ADMITTED, to, (), *found, certificate)

    def _contacts(self, consortia: Sequence[bytes]) -> list[Contact]:
        members = {id_ for each in consortia for id_ in _members(self.standings[each].newest)}
        contacts = self.held.contacts
        return [
            contacts[each] for each in sorted(contacts) if contacts[each].node.issuer in members
        ]

    def _notice(self, consortium: bytes) -> Notice:
        standing = self.standings[consortium]
        motions = tuple(standing.motions[each] for each in sorted(standing.motions))
        revocations = kept_pairing.load_revocations(self.held.path)
        return Notice(tuple(each.encoded for each in standing.chain), motions, revocations)


def take_contacts(held: State, contacts: Sequence[tuple[bytes, bytes]]) -> None:
    """Keep the gateways that an answer tells of, those that a roster vouches for."""
    for certificate, encryption in contacts:
        _keep_contact(held, certificate, encryption)


def _keep_contact(held: State, certificate: bytes, encryption: bytes) -> None:
    try:
        node = identity.decode(certificate, "node")
        sealing = identity.decode(encryption, "encryption")
        sealing.verify(node.subject, node.key)
        newest = [held.newest(each.consortium) for each in held.rosters.values()]
        roots = {o.root for each in newest for o in each.organisations if o.id == node.issuer}
        for root in roots:
            node.verify(node.issuer, root)
    except AuthorError:
        return
    known = held.contacts.get(node.subject)
    if not roots or node.subject == held.node_id or (known and known.node.counter > node.counter):
        return
    if known is None or (known.node.encoded, known.encryption.encoded) != (certificate, encryption):
        state.keep_contact(held.path, Contact(node, sealing))


def _members(within: Roster) -> set[bytes]:
    return {each.id for each in within.organisations}


def says(box: pairing.Mailbox, where: Place, content: bytes, document: bytes) -> bool:
    """Say whether what lies somewhere is this document."""
    try:
        return pairing.open_sealed(box, where.slot, content) == document
    except MalformedDocument:
        return False
