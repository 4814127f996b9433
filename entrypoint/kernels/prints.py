"""Prints that wait one behind the other, as one: a page and all on the way to it take a message, not each line."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from jupyter_client.session import DELIM, Session

# The parts of a message, as they came by the socket.
Message = list[bytes]
# Of one message that others are joined to, so that nobody else is held up.
CHARACTERS_MAX, MESSAGES_MAX = 1 << 16, 500


@dataclass(frozen=True)
class Printed:
    """A `stream` message (messaging in Jupyter, "Streams"): its parts as they came, and what was printed where."""

    envelope: Message
    header: bytes
    parent: bytes
    metadata: bytes
    name: str
    text: str

    def continues(self, other: Printed) -> bool:
        """Whether it is printed to the same stream by the same execution."""
        return (self.parent, self.metadata, self.name) == (other.parent, other.metadata, other.name)


def printed(session: Session, message: Message) -> Printed | None:
    """What a message prints; None for any other, and for one that isn't signed as the kernel's are."""
    try:
        envelope, (signature, *signed) = session.feed_identities(message)
        header, parent, metadata, content = signed
        # Of each of the others, without a look into it.
        if b"stream" not in header or not hmac.compare_digest(signature, session.sign(signed)):
            return None
        kind, said = session.unpack(header)["msg_type"], session.unpack(content)
        name, text = said["name"], said["text"]
        is_plain = kind == "stream" and len(said) == 2 and isinstance(name, str) and isinstance(text, str)
        return Printed(envelope, header, parent, metadata, name, text) if is_plain else None
    # What a kernel says is anybody's, and who hears it judges it.
    except Exception:
        return None


def joined(
    session: Session, first: Message, following: Callable[[], Message | None], take: Callable[[], object]
) -> Message:
    """A print together with those that wait behind it, under its own header; any other message as it is.

    Args:
        following: The next that waits, if any.
        take: Takes that one away.
    """
    if not following() or not (print_ := printed(session, first)):
        return first
    texts, characters = [print_.text], len(print_.text)
    while characters < CHARACTERS_MAX and len(texts) < MESSAGES_MAX and (message := following()):
        more = printed(session, message)
        if not more or not more.continues(print_):
            break
        take()
        texts.append(more.text)
        characters += len(more.text)
    if len(texts) == 1:
        return first
    content = session.pack({"name": print_.name, "text": "".join(texts)})
    signed = [print_.header, print_.parent, print_.metadata, content]
    return [*print_.envelope, DELIM, session.sign(signed), *signed]
