"""Pitfalls of the command in QHPSI: words, quotes, the file name, clamdscan's options, plugins; pure.

Source: IndiMail libqmail base/makeargs.c, indimail-mta-x/qmail-queue.c, qhpsi.c, generic.c; recorded calls
(data/indimail/qhpsi); clamdscan(1) of ClamAV 1.4.6.
"""

from __future__ import annotations

from typing import Final

from indimail_kit.qhpsi.config import PLUGIN_PREFIX
from indimail_kit.qhpsi.makeargs import PLACE, QUOTES, Word, WordForm
from indimail_kit.qhpsi.pitfalls import Danger, Rule, Scene, when

PLUGIN_HOME: Final = "/var/indimail"
"""Where PLUGINDIR lies. Source: indimail-mta-x/conf-qmail."""

INSTALLED_PLUGINS: Final = "/usr/lib/indimail/plugins"
"""Where ``make install`` puts plugins; qhpsi does not look there. Source: recorded calls."""

_SHELL: Final = ";|&<>`"
"""What a shell would act upon."""

_TYPOGRAPHIC: Final = "\u2018\u2019\u201c\u201d"
"""Quotes of word processors and web pages, the seed text's own among them."""

_STREAMING: Final = {
    "--stream": "Use --fdpass instead.",
    "-": "That is so where clamd is asked over TCP; over its LocalSocket the descriptor is passed, and all is scanned.",
}
"""Arguments that make clamdscan send the message instead of its name -> what to say of it. Source: ClamAV 1.4.6."""


def _is_command(scene: Scene) -> bool:
    """Say whether QHPSI names a program."""
    return not scene.config.is_plugin and bool(scene.argv) and bool(scene.argv[0])


def _without_file_name(scene: Scene) -> str:
    if not _is_command(scene) or any(one in scene.arguments for one in (scene.file_name, "-")):
        return ""
    inside = [word.value for word in scene.words[1:] if PLACE in word.value]
    hint = f" (in {inside[0]!r} it is not at the beginning of the word)" if inside else ""
    what = " clamdscan then scans its working directory, the queue." if scene.program == "clamdscan" else ""
    return (
        f"Several words and no %s{hint}: the scanner is not told which file to scan, and its exit code counts all the "
        f"same.{what} Write %s where the file name belongs."
    )


def _tail_of_place(scene: Scene) -> str:
    tails = [word.value for word in scene.words[1:] if word.value.startswith(PLACE) and word.value != PLACE]
    return f"{tails[0]!r} is replaced whole by the file name; {tails[0][2:]!r} is lost." if tails else ""


def _forms(scene: Scene, form: WordForm) -> list[Word]:
    return [word for word in scene.words if word.form is form]


def _variable(scene: Scene) -> str:
    missing = _forms(scene, WordForm.MISSING)
    if not missing:
        return ""
    written = missing[0].written
    if len(written.split()) == 1:
        return f"{written} is not set: the word is left out, without a complaint."
    return (
        f"{written!r}: everything behind the $ is taken as the variable's name, and there is none, so the list of "
        "words ends here. A variable works as the last word only."
    )


def _quote_inside(scene: Scene) -> str:
    words = [word.value for word in _forms(scene, WordForm.PLAIN) if any(quote in word.value for quote in QUOTES)]
    if not words:
        return ""
    return f"{words[0]!r}: a quote counts only at the beginning of a word, and only if there is one that closes it."


def _after_quote(scene: Scene) -> str:
    dropped = [word for word in scene.words if word.dropped]
    return f"{dropped[0].dropped!r} behind the closing quote of {dropped[0].written} is lost." if dropped else ""


def _mixed_quotes(scene: Scene) -> str:
    mixed = [word.written for word in _forms(scene, WordForm.QUOTED) if word.written[0] != word.written[-1]]
    return f"{mixed[0]}: either kind of quote closes the other." if mixed else ""


def _backslash(scene: Scene) -> str:
    words = [word.value for word in scene.words if "\\" in word.value]
    return f"{words[0]}: a backslash is an ordinary character and is handed to the scanner." if words else ""


def _no_shell(scene: Scene) -> str:
    words = [word.value for word in scene.words[1:] if any(one in word.value for one in _SHELL) or "$(" in word.value]
    return f"{words[0]!r}: no shell reads QHPSI; the scanner gets this as an argument." if words else ""


def _typographic(scene: Scene) -> str:
    text = scene.config.command or ""
    if not any(one in _TYPOGRAPHIC or 0xDC80 <= ord(one) <= 0xDCFF for one in text):
        return ""
    return "QHPSI holds typographic quotes or octets that are no text (copied from a web page?): write ' or \"."


def _empty(scene: Scene) -> str:
    if scene.config.is_plugin or (scene.argv and scene.argv[0]):
        return ""
    return "QHPSI is set but names no program: every mail gets 451. Unset it to switch scanning off."


def _access(scene: Scene) -> str:
    if scene.program != "clamdscan" or any(one in scene.arguments for one in ("--fdpass", *_STREAMING)):
        return ""
    return (
        "clamdscan without --fdpass: clamd opens the file itself. A clamd of another user than qscand or the group "
        "qmail is denied access, clamdscan ends with 2, and every mail gets 451. Add --fdpass."
    )


def _stream(scene: Scene) -> str:
    streaming = [one for one in _STREAMING if one in scene.arguments]
    if scene.program != "clamdscan" or not streaming:
        return ""
    return (
        f"clamdscan {streaming[0]}: what lies beyond clamd's StreamMaxLength is cut off and never looked at, and the "
        f"mail is called clean all the same. {_STREAMING[streaming[0]]}"
    )


def _standard_input(scene: Scene) -> str:
    if not _is_command(scene) or "-" not in scene.arguments:
        return ""
    return (
        '"-" is standard input: this IndiMail\'s qmail-queue has read it to its end by then, so the scanner sees an '
        "empty mail (read in qmail-queue.c; the kit gives it the message). Write %s."
    )


def _output(scene: Scene) -> str:
    if scene.program not in ("clamdscan", "clamscan") or "--quiet" in scene.arguments:
        return ""
    return (
        f"{scene.program} without --quiet writes to standard output, which under qmail-queue is the reading end of the "
        "envelope's pipe: I/O error, and nobody sees what it says. Add --quiet."
    )


def _symbol(scene: Scene) -> str:
    if not scene.config.is_plugin or "QUEUE_PLUGIN" not in scene.environ:
        return ""
    if "QUEUE_PLUGIN_SYMB" in scene.environ:
        return "QUEUE_PLUGIN and QUEUE_PLUGIN_SYMB are both set: QUEUE_PLUGIN_SYMB counts."
    return (
        "QUEUE_PLUGIN is the name of 2010: the kit reads it, today's qhpsi does not and calls virusscan. "
        "Write QUEUE_PLUGIN_SYMB."
    )


def _slash_in_name(scene: Scene) -> str:
    names = [name for name in scene.arguments if "/" in name] if scene.config.is_plugin else []
    return f"{names[0]}: no / is allowed in a plugin's name (qhpsi ends with 87): every mail gets 451." if names else ""


def _ends_the_list(scene: Scene) -> str:
    if not scene.config.is_plugin or "generic.so" not in scene.arguments[:-1]:
        return ""
    after = scene.arguments[scene.arguments.index("generic.so") + 1 :]
    return f"generic.so ends the process with its scanner's exit code: {', '.join(after)} behind it never run."


def _relative(scene: Scene) -> str:
    if not _is_command(scene) or scene.argv[0].startswith("/"):
        return ""
    name = scene.argv[0]
    if "/" in name or name.startswith("."):
        return f"{name}: looked for in the queue's directory, the scanner's working directory. Write a full path."
    return ""


COMMAND_RULES: Final[tuple[Rule, ...]] = (
    Rule("no-program", Danger.REFUSES, ("QHPSI",), _empty),
    Rule("no-file-name", Danger.PASSES, ("QHPSI",), _without_file_name),
    Rule("stream-limit", Danger.PASSES, ("QHPSI",), _stream),
    Rule("standard-input", Danger.PASSES, ("QHPSI",), _standard_input),
    Rule("access-denied", Danger.REFUSES, ("QHPSI",), _access),
    Rule("typographic-quotes", Danger.REFUSES, ("QHPSI",), _typographic),
    Rule("relative-program", Danger.REFUSES, ("QHPSI",), _relative),
    Rule(
        "blank-before-plugin",
        Danger.REFUSES,
        ("QHPSI",),
        when(
            lambda scene: not scene.config.is_plugin and "".join(scene.argv[:1]).startswith(PLUGIN_PREFIX),
            'White space before "plugin:": qhpsi does not get the file name in its place. Remove it.',
        ),
    ),
    Rule(
        "plugin-directory",
        Danger.REFUSES,
        ("PLUGINDIR",),
        when(
            lambda scene: scene.config.is_plugin and "/" in scene.config.plugin_dir,
            f"PLUGINDIR with a /: qhpsi ends with 87 and every mail gets 451. It is a name below {PLUGIN_HOME}.",
        ),
    ),
    Rule("plugin-name", Danger.REFUSES, ("QHPSI",), _slash_in_name),
    Rule(
        "no-plugin",
        Danger.REFUSES,
        ("QHPSI",),
        when(
            lambda scene: scene.config.is_plugin and not scene.arguments,
            "plugin: without a name: qhpsi ends with 255 and every mail gets 451.",
        ),
    ),
    Rule("plugins-after-generic", Danger.PASSES, ("QHPSI",), _ends_the_list),
    Rule("plugin-symbol", Danger.IGNORED, ("QUEUE_PLUGIN", "QUEUE_PLUGIN_SYMB"), _symbol),
    Rule("variable", Danger.IGNORED, ("QHPSI",), _variable),
    Rule("percent-s-tail", Danger.IGNORED, ("QHPSI",), _tail_of_place),
    Rule("quote-inside", Danger.IGNORED, ("QHPSI",), _quote_inside),
    Rule("after-quote", Danger.IGNORED, ("QHPSI",), _after_quote),
    Rule("mixed-quotes", Danger.IGNORED, ("QHPSI",), _mixed_quotes),
    Rule("backslash", Danger.IGNORED, ("QHPSI",), _backslash),
    Rule("no-shell", Danger.IGNORED, ("QHPSI",), _no_shell),
    Rule("output", Danger.IGNORED, ("QHPSI",), _output),
)
"""Pitfalls of the string in QHPSI, and of plugins."""

NOT_LOOKED_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "plugin-place",
        Danger.REFUSES,
        ("QHPSI", "PLUGINDIR"),
        when(
            lambda scene: scene.config.is_plugin and bool(scene.arguments),
            f"Plugins are looked for in {PLUGIN_HOME}/PLUGINDIR. What the installation puts into {INSTALLED_PLUGINS}, "
            "as the manual has it, is not found: copy it.",
        ),
    ),
)
"""What can only be told in general as long as nobody looks at the file system."""
