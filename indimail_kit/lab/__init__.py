"""The lab: a small IndiMail in one directory, on loopback, without root.

It plays every program of a mail's journey (tcpserver, qmail-smtpd, qmail-queue, todo-proc, qmail-send,
qmail-lspawn) in one process, with real files, real sockets, a real clamd of its own and true log lines::

    with Lab(seed=1) as lab:
        journey = lab.send(recipient="bob@example.com", attach="eicar-zip")

Place in the journey: above all rooms that do the work; below course, widgets and the command line that show it.
"""

from indimail_kit.lab.cases import open_case as open_case
from indimail_kit.lab.cases import start_case as start_case
from indimail_kit.lab.corpus import make_queue as make_queue
from indimail_kit.lab.demo import CASES as CASES
from indimail_kit.lab.demo import run_demo as run_demo
from indimail_kit.lab.demo_logs import DemoLogs as DemoLogs
from indimail_kit.lab.demo_logs import make_logs as make_logs
from indimail_kit.lab.demo_site import DemoSite as DemoSite
from indimail_kit.lab.demo_site import make_site as make_site
from indimail_kit.lab.journey import Journey as Journey
from indimail_kit.lab.journey import RawBlock as RawBlock
from indimail_kit.lab.journey import Station as Station
from indimail_kit.lab.journey import StationState as StationState
from indimail_kit.lab.lab import Lab as Lab
from indimail_kit.lab.services import Services as Services
from indimail_kit.lab.session import SmtpdLimits as SmtpdLimits
from indimail_kit.lab.tapes import record_lesson_tapes as record_lesson_tapes

__all__ = [
    "CASES",
    "DemoLogs",
    "DemoSite",
    "Journey",
    "Lab",
    "RawBlock",
    "Services",
    "SmtpdLimits",
    "Station",
    "StationState",
    "make_logs",
    "make_queue",
    "make_site",
    "open_case",
    "record_lesson_tapes",
    "run_demo",
    "start_case",
]
