"""What one server does in its own way.

Note for maintainers: `STRICT` is RFC 4954 to the letter; `indimail_bugs.INDIMAIL_BUGS` is qmail-smtpd as recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import framing
from indimail_kit.auth.replies import Reply

if TYPE_CHECKING:
    from indimail_kit.auth.authority import Authority
    from indimail_kit.auth.mechanisms import Dialogue


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one server does in its own way.

    Attributes:
        name: For people.
        decode_base64: Octets of a line -> octets meant; raises SaslError or EndExchangeError.
        replies: Reply -> the one that is given in its place.
        serve: Mechanism -> its server's side, where it is not the one of the table.
        takes_no_initial_response: Mechanisms whose initial response is not looked at.
        knows_empty_response: Whether ``=`` is an initial response of zero octets.
    """

    name: str
    decode_base64: Callable[[bytes], bytes]
    replies: Mapping[Reply, Reply] = field(default_factory=dict)
    serve: Mapping[str, Callable[[bytes, Authority], Dialogue]] = field(default_factory=dict)
    takes_no_initial_response: frozenset[str] = frozenset()
    knows_empty_response: bool = True


STRICT: Final = Dialect("strict", framing.decode_base64)
"""RFC 4954 to the letter."""
