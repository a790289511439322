"""What names and texts of a config may be, each with what is said of it to a person.

In: nothing. Out: types that `load` converts to. Reference: docs/config.md.
"""

from typing import Annotated

from msgspec import Meta

# Names go into client ids, file names and topics, so they are short and plain.
Name = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z",
        description="at most 63 of A-Z a-z 0-9 . _ -, beginning with a letter or digit",
    ),
]
Text = Annotated[
    str,
    Meta(
        pattern=r"\A[^\x00-\x1f\x7f]{1,4096}\Z",
        description="1 to 4096 letters without control characters",
    ),
]
Short = Annotated[
    str,
    Meta(
        pattern=r"\A[^\x00-\x1f\x7f]{1,128}\Z",
        description="1 to 128 letters without control characters",
    ),
]
ClientId = Annotated[
    str, Meta(pattern=r"\A[!-~]{1,200}\Z", description="1 to 200 letters of ASCII, no blanks")
]
Sha256 = Annotated[
    str, Meta(pattern=r"\A[0-9a-f]{64}\Z", description="64 digits of 0-9 a-f, a SHA-256")
]
# Which ones are units is told by `units`, with the nearest of what is none.
Unit = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\x7f]{0,32}\Z", description="at most 32 letters")]
