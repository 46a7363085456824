"""control: what applies to you? The second room on a message's way; an address becomes an environment.

::

    auth ──► ► control ◄ ──► qhpsi ──► mailqueue ──► delivery ──► logs

``tcprules`` reads tcp.smtp and looks a client up as tcpserver does; ``cdb`` does so with tcp.smtp.cdb, and writes one.
``envdir`` reads and writes a service's ``variables`` directory. ``environment`` puts all together with the control
files, and keeps who said what: the result decides about scanning, relaying and queues.
``supervise`` tells whether a service runs at all, and hands supervise its commands.
"""

from __future__ import annotations

from indimail_kit.control import cdb as cdb
from indimail_kit.control import envdir as envdir
from indimail_kit.control import environment as environment
from indimail_kit.control import supervise as supervise
from indimail_kit.control import svstat as svstat
from indimail_kit.control import tcprules as tcprules
from indimail_kit.control.cdb import open_rules as open_rules
from indimail_kit.control.cdb import write_cdb as write_cdb
from indimail_kit.control.envdir import EnvdirResult as EnvdirResult
from indimail_kit.control.envdir import read_envdir as read_envdir
from indimail_kit.control.envdir import write_variable as write_variable
from indimail_kit.control.environment import AppliedEnvironment as AppliedEnvironment
from indimail_kit.control.environment import Setting as Setting
from indimail_kit.control.environment import what_applies as what_applies
from indimail_kit.control.supervise import Service as Service
from indimail_kit.control.supervise import ServiceStatus as ServiceStatus
from indimail_kit.control.supervise import decode_status as decode_status
from indimail_kit.control.supervise import read_service as read_service
from indimail_kit.control.supervise import send_control as send_control
from indimail_kit.control.tcprules import Match as Match
from indimail_kit.control.tcprules import Rules as Rules
from indimail_kit.control.tcprules import parse_rules as parse_rules

__all__ = [
    "AppliedEnvironment",
    "EnvdirResult",
    "Match",
    "Rules",
    "Service",
    "ServiceStatus",
    "Setting",
    "cdb",
    "decode_status",
    "envdir",
    "environment",
    "open_rules",
    "parse_rules",
    "read_envdir",
    "read_service",
    "send_control",
    "supervise",
    "svstat",
    "tcprules",
    "what_applies",
    "write_cdb",
    "write_variable",
]
