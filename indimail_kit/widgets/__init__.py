"""Widgets: where a person looks. The last room before you, and the only one that imports Jupyter.

`JourneyView` shows one mail from AUTH to the inbox; `SmtpConsole` lets you type SMTP by hand, `AuthExplorer` shows
what each byte of a login is, `Eavesdropper` what a listener has of it; `ScanPanel`, `PolicyExplorer` and
`DeliveredView` show a scan, what every scan leads to, and what it leaves in the mailbox; `QueueTimeMachine`,
`QueueBrowser` and `QueueShape` show a queue; `AdminDesk` shows a server, `StuckMail` why mail waits, `QueueScanPanel`
scans what waits, `PlanPanel` changes a queue after a yes; `LogExplorer` shows a log, `LiveLogExplorer` one that grows,
`DelayChart`, `ConcurrencyChart` and `ReasonChart` draw it; `TraceView` follows one message across all of them;
`CasePanel` has a broken server to practise on. Each widget has a plain function beside it
that gives the same as values: `Lab.send`, `journeys_frame` for the table, `journey_html` and `station_html` for what
is seen; `auth.annotate`, `auth.derivation` and `auth.eavesdrop` for a login; `policy_table` and `added_fields` for a
scan.

Rule 1: HTML is made in `indimail_kit.widgets.html` and nowhere else.
Rule 2: ipywidgets is imported when a widget is first asked for, so that HTML without a kernel needs no Jupyter.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from indimail_kit.widgets.admin_desk import AdminDesk as AdminDesk
    from indimail_kit.widgets.auth_explorer import AuthExplorer as AuthExplorer
    from indimail_kit.widgets.case_panel import CasePanel as CasePanel
    from indimail_kit.widgets.delivered import added_fields as added_fields
    from indimail_kit.widgets.delivered import delivered_html as delivered_html
    from indimail_kit.widgets.delivered_view import DeliveredView as DeliveredView
    from indimail_kit.widgets.eavesdropper import Eavesdropper as Eavesdropper
    from indimail_kit.widgets.journey_frame import journeys_frame as journeys_frame
    from indimail_kit.widgets.journey_view import JourneyView as JourneyView
    from indimail_kit.widgets.log_chart_views import ConcurrencyChart as ConcurrencyChart
    from indimail_kit.widgets.log_chart_views import DelayChart as DelayChart
    from indimail_kit.widgets.log_chart_views import ReasonChart as ReasonChart
    from indimail_kit.widgets.log_explorer import LogExplorer as LogExplorer
    from indimail_kit.widgets.log_live import LiveLogExplorer as LiveLogExplorer
    from indimail_kit.widgets.markup import journey_html as journey_html
    from indimail_kit.widgets.markup import journeys_html as journeys_html
    from indimail_kit.widgets.markup import station_html as station_html
    from indimail_kit.widgets.plan_panel import PlanPanel as PlanPanel
    from indimail_kit.widgets.policy import policy_cell as policy_cell
    from indimail_kit.widgets.policy import policy_table as policy_table
    from indimail_kit.widgets.policy_explorer import PolicyExplorer as PolicyExplorer
    from indimail_kit.widgets.policy_frame import policies_frame as policies_frame
    from indimail_kit.widgets.queue_browser import QueueBrowser as QueueBrowser
    from indimail_kit.widgets.queue_scan_panel import QueueScanPanel as QueueScanPanel
    from indimail_kit.widgets.queue_shape import QueueShape as QueueShape
    from indimail_kit.widgets.queue_static import queue_message_html as queue_message_html
    from indimail_kit.widgets.queue_static import queue_shape_html as queue_shape_html
    from indimail_kit.widgets.scan_markup import scan_html as scan_html
    from indimail_kit.widgets.scan_panel import ScanPanel as ScanPanel
    from indimail_kit.widgets.smtp_console import SmtpConsole as SmtpConsole
    from indimail_kit.widgets.stuck_mail import StuckMail as StuckMail
    from indimail_kit.widgets.tape_fates import crash_table as crash_table
    from indimail_kit.widgets.tape_markup import tape_html as tape_html
    from indimail_kit.widgets.time_machine import QueueTimeMachine as QueueTimeMachine
    from indimail_kit.widgets.trace_markup import trace_html as trace_html
    from indimail_kit.widgets.trace_view import TraceView as TraceView

_HOMES: Final = {
    "AdminDesk": "admin_desk",
    "AuthExplorer": "auth_explorer",
    "CasePanel": "case_panel",
    "ConcurrencyChart": "log_chart_views",
    "DelayChart": "log_chart_views",
    "DeliveredView": "delivered_view",
    "Eavesdropper": "eavesdropper",
    "JourneyView": "journey_view",
    "LiveLogExplorer": "log_live",
    "LogExplorer": "log_explorer",
    "PlanPanel": "plan_panel",
    "PolicyExplorer": "policy_explorer",
    "QueueBrowser": "queue_browser",
    "QueueScanPanel": "queue_scan_panel",
    "QueueShape": "queue_shape",
    "QueueTimeMachine": "time_machine",
    "ReasonChart": "log_chart_views",
    "ScanPanel": "scan_panel",
    "SmtpConsole": "smtp_console",
    "StuckMail": "stuck_mail",
    "TraceView": "trace_view",
    "added_fields": "delivered",
    "crash_table": "tape_fates",
    "delivered_html": "delivered",
    "journey_html": "markup",
    "journeys_frame": "journey_frame",
    "journeys_html": "markup",
    "policies_frame": "policy_frame",
    "policy_cell": "policy",
    "policy_table": "policy",
    "queue_message_html": "queue_static",
    "queue_shape_html": "queue_static",
    "scan_html": "scan_markup",
    "station_html": "markup",
    "tape_html": "tape_markup",
    "trace_html": "trace_markup",
}
"""Public name -> the module that has it."""

__all__ = [
    "AdminDesk",
    "AuthExplorer",
    "CasePanel",
    "ConcurrencyChart",
    "DelayChart",
    "DeliveredView",
    "Eavesdropper",
    "JourneyView",
    "LiveLogExplorer",
    "LogExplorer",
    "PlanPanel",
    "PolicyExplorer",
    "QueueBrowser",
    "QueueScanPanel",
    "QueueShape",
    "QueueTimeMachine",
    "ReasonChart",
    "ScanPanel",
    "SmtpConsole",
    "StuckMail",
    "TraceView",
    "added_fields",
    "crash_table",
    "delivered_html",
    "journey_html",
    "journeys_frame",
    "journeys_html",
    "policies_frame",
    "policy_cell",
    "policy_table",
    "queue_message_html",
    "queue_shape_html",
    "scan_html",
    "station_html",
    "tape_html",
    "trace_html",
]


def __getattr__(name: str) -> Any:
    """Import a widget when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'indimail_kit.widgets' has no attribute {name!r}")
    return getattr(importlib.import_module(f"indimail_kit.widgets.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
