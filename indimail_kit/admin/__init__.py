"""admin: what shall change? Actions on a real system, written down first, done only after a yes.

::

    control, mailqueue, logs (they look)  ──►  ► admin ◄  (a plan, shown)  ──►  yes?  ──►  done, step by step

``host`` examines all of it: what is wrong, how urgent it is, which lesson explains it. ``plan`` is pure: it makes a
`Plan` from what was read, each step with the command that a person would type, what it does, and what cannot be undone.
``run`` shows it, asks, checks before each step that things are still as they were seen, and stops at the first failure.
``services`` looks at a service and plans for it, ``queue_plan`` at a queue. ``overview`` is the first look at all
queues, ``queue_scan`` asks a scanner about a message that lies in one::

    plan = plan_service_up("/service/clamd")
    print(plan.text)
    report = run_plan(plan, confirm=ask_a_person)

Place in the journey: beside the lab, above all rooms that do the work; what works here works in a lab, too.
"""

from __future__ import annotations

from indimail_kit.admin.host import HostReport as HostReport
from indimail_kit.admin.host import examine_host as examine_host
from indimail_kit.admin.host_findings import Finding as Finding
from indimail_kit.admin.host_findings import Urgency as Urgency
from indimail_kit.admin.host_places import HostPlaces as HostPlaces
from indimail_kit.admin.host_places import places_of_host as places_of_host
from indimail_kit.admin.host_places import places_of_lab as places_of_lab
from indimail_kit.admin.overview import Overview as Overview
from indimail_kit.admin.overview import look_at_queues as look_at_queues
from indimail_kit.admin.plan import Plan as Plan
from indimail_kit.admin.plan import Step as Step
from indimail_kit.admin.queue_plan import QueueRepair as QueueRepair
from indimail_kit.admin.queue_plan import plan_expire as plan_expire
from indimail_kit.admin.queue_plan import plan_hold as plan_hold
from indimail_kit.admin.queue_plan import plan_queue_repair as plan_queue_repair
from indimail_kit.admin.queue_plan import plan_release as plan_release
from indimail_kit.admin.queue_plan import plan_trash as plan_trash
from indimail_kit.admin.queue_scan import QueuedScan as QueuedScan
from indimail_kit.admin.queue_scan import scan_each as scan_each
from indimail_kit.admin.queue_scan import scan_queued as scan_queued
from indimail_kit.admin.run import Report as Report
from indimail_kit.admin.run import run_plan as run_plan
from indimail_kit.admin.services import plan_service_down as plan_service_down
from indimail_kit.admin.services import plan_service_up as plan_service_up
from indimail_kit.admin.services import plan_variable as plan_variable
from indimail_kit.admin.site import Site as Site

__all__ = [
    "Finding",
    "HostPlaces",
    "HostReport",
    "Overview",
    "Plan",
    "QueueRepair",
    "QueuedScan",
    "Report",
    "Site",
    "Step",
    "Urgency",
    "examine_host",
    "look_at_queues",
    "places_of_host",
    "places_of_lab",
    "plan_expire",
    "plan_hold",
    "plan_queue_repair",
    "plan_release",
    "plan_service_down",
    "plan_service_up",
    "plan_trash",
    "plan_variable",
    "run_plan",
    "scan_each",
    "scan_queued",
]
