"""Is this queue as it should be? The invariants of each message, and of the queue around them.

Source: indimail-mta-internals(7); IndiMail queue-fix.c.
"""

from __future__ import annotations

from indimail_kit.mailqueue.check_message import check_kinds as check_kinds
from indimail_kit.mailqueue.check_message import check_message as check_message

__all__ = ["check_kinds", "check_message"]
