"""Kill -9 a witness at random instants while two histories are shown to it, and restore its copies.

Whatever was killed when: of the two histories it cosigns one, every cosignature that left is
within what its database says, and an earlier copy of its database signs nothing.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from gateway.clock import random_bytes
from gateway.errors import WitnessRetired
from gateway.groups import witnessing
from gateway.records import checkpoint, note
from gateway.store import witness
from tests.people import party, roster_of, run_of
from tests.witnessed import Tree, shows

MAKER, BUYER = party("maker"), party("buyer")
FOUNDED = roster_of(MAKER, BUYER)
SHARED = 3  # leaves that both histories begin with
TREES = (Tree(run_of(MAKER)), Tree(run_of(MAKER), b"other", since=SHARED))
BURST = 40
_CHILD = """
import sys
from pathlib import Path
from gateway.errors import GatewayError
from gateway.groups import witnessing
from gateway.store import witness
one = witness.load(Path(sys.argv[1]), Path(sys.argv[2]))
print("ready", flush=True)
for line in sys.stdin:
    number, said = line.split()
    try:
        print(number, one.cosign(witnessing.decode(bytes.fromhex(said)), 1), flush=True)
    except GatewayError as fault:
        print(number, fault.code, fault.facts.get("size", 0), flush=True)
"""


@dataclass
class Story:
    """What was shown, and what came of it."""

    folder: Path
    chance: random.Random
    signed: list[tuple[int, int]] = field(default_factory=list)  # which history, which size
    size: int = 0

    @property
    def places(self) -> tuple[Path, Path]:
        """Give the folders of the witness and of its number."""
        return self.folder / "witness", self.folder / "number"

    def burst(self) -> None:
        """Show a burst of both histories, and kill it in the middle."""
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, *map(str, self.places)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdin is not None and child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        shown = self._shown()
        for number, (tree, old, size) in enumerate(shown):
            child.stdin.write(f"{number} {TREES[tree].shown(old, size).hex()}\n")
        child.stdin.flush()
        time.sleep(self.chance.random() * 0.1)
        child.kill()
        heard = child.stdout.read()
        child.stdin.close()
        child.wait()
        for line in heard.split("\n")[:-1]:  # What the kill cut off has no end.
            self._take(line, shown)

    def _shown(self) -> list[tuple[int, int, int]]:
        """Give which history is shown, from which size to which; some from a size that is not."""
        found, at = [], self.size
        for _ in range(BURST):
            grown = at + self.chance.randrange(3)
            first = self.chance.randrange(2)
            found += [(first, at, grown), (1 - first, at, grown)]
            at = grown if self.chance.random() < 0.9 else max(at - 1, 0)
        return found

    def _take(self, line: str, shown: list[tuple[int, int, int]]) -> None:
        number, said = line.split(" ", 1)
        tree, _, size = shown[int(number)]
        if said.startswith("witness.size"):
            self.size = int(said.split()[1])
        elif not said.startswith("witness."):
            text = note.parse(TREES[tree].note(size)).text
            one = witness.load(*self.places)
            name = checkpoint.witness_name(BUYER.root.id)
            assert note.check_cosignature(text, said, name, one.public) == 1
            one.close()
            self.signed.append((tree, size))
            self.size = size

    def check(self) -> None:
        """See that it starts again, knows all that left, and that nothing of another left."""
        one = witness.load(*self.places)
        known = one.journal(checkpoint.run_name(TREES[0].run.key.id))
        one.close()
        assert known is not None
        self.size = known.size
        histories = {tree for tree, size in self.signed if size > SHARED}
        assert len(histories) <= 1, "it cosigned both"
        assert max((size for _, size in self.signed), default=0) <= known.size
        for tree in histories:
            shown = witnessing.decode(TREES[tree].shown(0, known.size)).checkpoint
            assert shown.root == known.root

    def restore(self) -> bool:
        """Go back to a copy that is older than a growth: it must not start; then forth again."""
        state, now, copy = self.places[0], self.folder / "now", self.folder / "copy"
        shutil.copytree(state, copy)
        before = len(self.signed)
        self.burst()
        self.check()
        grew = len({size for _, size in self.signed[before:]}) > 1
        state.rename(now)
        copy.rename(state)
        retired = False
        try:
            witness.load(*self.places).close()
        except WitnessRetired:
            retired = True
        shutil.rmtree(state)
        now.rename(state)
        assert retired or not grew, "a restored database would sign"
        return retired


def run(long: bool) -> str:
    """Kill 200 times, or 4,000; give the figures."""
    return campaign(4_000 if long else 200, seed=int(time.time()))


def campaign(kills: int, seed: int) -> str:
    """Kill so often, every fifth time go back to a copy; raise AssertionError at what is wrong."""
    restored = 0
    with tempfile.TemporaryDirectory() as name:
        story = Story(Path(name), random.Random(seed))
        made = (*story.places, BUYER.root.id, [FOUNDED.hash], random_bytes)
        witness.create(*made)
        one = witness.load(*story.places)
        one.take_roster(FOUNDED.hash, FOUNDED.encoded)
        one.introduce(shows(TREES[0].run))
        one.close()
        for number in range(kills):
            if number % 5 == 4:
                restored += story.restore()
            else:
                story.burst()
                story.check()
    assert story.signed, "nothing was cosigned"
    return (
        f"kills {kills}, cosigned {len(story.signed)} up to {story.size}, both histories 0, "
        f"copies refused {restored} (seed {seed})"
    )
