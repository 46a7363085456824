"""QHPSI: is it safe? The station between the mess file and the queue.

qmail-queue has written the message to ``mess`` and has not yet promised anything. Now it asks a scanner: a program
that the variable QHPSI names, plugins, clamd itself, or the scanner that is built in. What comes out is one of four
verdicts, and from it, by IndiMail's decision table, a header, an exit code, and the reply that the client reads::

    config.py          the variables          command.py  plugin.py  clamd_client.py  embedded.py    who is asked
    decision_tree.py   the way to a decision  decision.py  what it means    scanning.py            the deed
    explanation.py     all of it in words, without a message                pitfalls.py            what is wrong with it

    policy = QhpsiConfig.from_environ({"QHPSI": "/usr/bin/clamdscan %s --quiet --no-summary", "REJECTVIRUS": "1"})
    report = scan(path, policy, scanner=clamd("/run/clamd.sock"))

The promise of this room: never "clean" by accident. Only a scanner that said so makes CLEAN; what is not understood,
cut off, too large, too slow or dead is NOT_SCANNED or ERROR, and the mail is refused for now (451).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from indimail_kit.qhpsi.clamd_client import ClamdClient as ClamdClient
from indimail_kit.qhpsi.clamd_client import parse_reply as parse_reply
from indimail_kit.qhpsi.clamd_conf import find_clamd as find_clamd
from indimail_kit.qhpsi.clamd_daemon import ClamdDaemon as ClamdDaemon
from indimail_kit.qhpsi.clamd_session import ClamdSession as ClamdSession
from indimail_kit.qhpsi.clamd_session import ScannedFile as ScannedFile
from indimail_kit.qhpsi.command import DEFAULT_TIMEOUT_S as DEFAULT_TIMEOUT_S
from indimail_kit.qhpsi.command import SCANNER_DESCRIPTORS as SCANNER_DESCRIPTORS
from indimail_kit.qhpsi.command import CommandScanner as CommandScanner
from indimail_kit.qhpsi.config import QhpsiConfig as QhpsiConfig
from indimail_kit.qhpsi.decision import Outcome as Outcome
from indimail_kit.qhpsi.decision import ScanAction as ScanAction
from indimail_kit.qhpsi.decision import decide as decide
from indimail_kit.qhpsi.decision import outcome as outcome
from indimail_kit.qhpsi.decision_tree import TREE as TREE
from indimail_kit.qhpsi.decision_tree import Leaf as Leaf
from indimail_kit.qhpsi.decision_tree import Question as Question
from indimail_kit.qhpsi.decision_tree import Step as Step
from indimail_kit.qhpsi.decision_tree import path_of as path_of
from indimail_kit.qhpsi.decision_tree import path_of_answer as path_of_answer
from indimail_kit.qhpsi.embedded import EmbeddedScanner as EmbeddedScanner
from indimail_kit.qhpsi.explanation import Explanation as Explanation
from indimail_kit.qhpsi.explanation import explain as explain
from indimail_kit.qhpsi.makeargs import build_argv as build_argv
from indimail_kit.qhpsi.makeargs import split_words as split_words
from indimail_kit.qhpsi.pitfalls import Danger as Danger
from indimail_kit.qhpsi.pitfalls import Pitfall as Pitfall
from indimail_kit.qhpsi.plugin import HOME
from indimail_kit.qhpsi.plugin import PluginScanner as PluginScanner
from indimail_kit.qhpsi.sample_plugin import compile_sample_plugin as compile_sample_plugin
from indimail_kit.qhpsi.scanning import ScanReport as ScanReport
from indimail_kit.qhpsi.scanning import scan_message as scan_message
from indimail_kit.qhpsi.scanning import scanner_for as scanner_for
from indimail_kit.qhpsi.signature_builder import body_signature as body_signature
from indimail_kit.qhpsi.signature_builder import hash_signature as hash_signature
from indimail_kit.qhpsi.signature_builder import logical_signature as logical_signature
from indimail_kit.qhpsi.signature_lines import parse_database as parse_database
from indimail_kit.qhpsi.signature_lines import parse_signature as parse_signature
from indimail_kit.qhpsi.signatures import Signature as Signature
from indimail_kit.qhpsi.signatures import eicar as eicar
from indimail_kit.qhpsi.signatures import teaching_signatures as teaching_signatures
from indimail_kit.qhpsi.verdict import ScanAnswer as ScanAnswer
from indimail_kit.qhpsi.verdict import Scanner as Scanner
from indimail_kit.qhpsi.verdict import Verdict as Verdict

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "SCANNER_DESCRIPTORS",
    "TREE",
    "ClamdClient",
    "ClamdDaemon",
    "ClamdSession",
    "CommandScanner",
    "Danger",
    "EmbeddedScanner",
    "Explanation",
    "Leaf",
    "Outcome",
    "Pitfall",
    "PluginScanner",
    "QhpsiConfig",
    "Question",
    "ScanAction",
    "ScanAnswer",
    "ScanReport",
    "ScannedFile",
    "Scanner",
    "Signature",
    "Step",
    "Verdict",
    "body_signature",
    "build_argv",
    "clamd",
    "command",
    "compile_sample_plugin",
    "decide",
    "eicar",
    "embedded",
    "explain",
    "find_clamd",
    "hash_signature",
    "logical_signature",
    "outcome",
    "parse_database",
    "parse_reply",
    "parse_signature",
    "path_of",
    "path_of_answer",
    "scan",
    "scan_message",
    "scanner_for",
    "split_words",
    "teaching_signatures",
]

# The functions `command` and `embedded` stand for the modules of these names in the package: the modules are loaded
# above, so the import system does not set the attributes again, and `from indimail_kit.qhpsi.embedded import …` works
# as ever.


def scan(path: str | Path, policy: QhpsiConfig, *, scanner: Scanner) -> ScanReport:
    """Scan one file as qmail-queue would under a policy."""
    return scan_message(Path(path), config=policy, scanner=scanner)


def clamd(address: str | Path | tuple[str, int], *, timeout_s: float = DEFAULT_TIMEOUT_S) -> ClamdClient:
    """Return the scanner that asks a clamd: the one behind a Unix socket, or behind (host, port).

    A clamd's TCP port takes the mail unencrypted. Name the own machine, ``("127.0.0.1", 3310)``, or the host of a
    real server that you can reach over a net you trust; nothing in the kit names one by itself.
    """
    return ClamdClient(address, timeout_s=timeout_s)


def embedded() -> EmbeddedScanner:
    """Return the scanner that is built in."""
    return EmbeddedScanner()


def command(config: QhpsiConfig, environ: Mapping[str, str], *, cwd: Path | None = None, home: Path = HOME) -> Scanner:
    """Return the scanner that QHPSI names, a program or plugins (in PLUGINDIR below `home`)."""
    return scanner_for(config, environ, cwd=cwd, home=home)
