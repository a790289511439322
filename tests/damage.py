"""What happens to bytes on their way, and the code of the error by which they are refused."""

from collections.abc import Callable, Iterable, Iterator

from gateway.errors import GatewayError


def flips(whole: bytes) -> Iterator[bytes]:
    """Give the bytes with each single bit flipped in turn."""
    for at, byte in enumerate(whole):
        for bit in range(8):
            yield whole[:at] + bytes([byte ^ 1 << bit]) + whole[at + 1 :]


def truncations(whole: bytes) -> Iterator[bytes]:
    """Give every beginning of the bytes, from the empty one on, but not the whole."""
    for size in range(len(whole)):
        yield whole[:size]


def refusal(attempt: Callable[[], object], branch: type[GatewayError] = GatewayError) -> str:
    """Give the code of the branch's error that an attempt ends in; anything else fails the test."""
    try:
        done = attempt()
    except branch as error:
        assert str(error).startswith(error.code)
        return error.code
    raise AssertionError(f"it was not refused: {done}")


def all_refused(
    decode: Callable[[bytes], object], inputs: Iterable[bytes], branch: type[GatewayError]
) -> set[str]:
    """See every input refused by an error of the branch; give the codes."""
    return {refusal(lambda each=each: decode(each), branch) for each in inputs}  # type: ignore[misc]


def never_escapes(
    decode: Callable[[bytes], object], inputs: Iterable[bytes], branch: type[GatewayError]
) -> int:
    """See that each input is either decoded or refused by the branch; count the refused."""
    count = 0
    for each in inputs:
        try:
            decode(each)
        except branch:
            count += 1
    return count
