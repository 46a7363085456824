"""``doctor``: what is here, what is missing, what each lesson needs."""

from __future__ import annotations

import click

from indimail_kit.cli.output import EXIT_FAILED, console, json_option, print_json


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Look at this machine and say what works, what does not, and what to do about it.

    Exit code 3 if a lesson cannot run here.
    """
    from indimail_kit.lab.doctor import examine

    report = examine()
    if as_json:
        print_json(report.as_document())
    else:
        from rich.text import Text

        from indimail_kit.visible import visible

        out = console()
        width = max(len(check.name) for check in report.checks)
        for check in report.checks:
            mark, style = {"ok": ("✓", "green"), "warn": ("?", "yellow"), "missing": ("✕", "bold red")}[check.state]
            out.print(Text.assemble((f" {mark} ", style), f"{check.name:<{width}}  ", visible(check.finding)))
            if check.remedy:
                out.print(Text(f"   {'':<{width}}  → {visible(check.remedy)}", style="dim"))
        out.print()
        for lesson in report.lessons:
            out.print(Text(f" {'✓' if lesson.is_ready else '✕'} {lesson.name}: {visible(lesson.finding)}"))
    if not report.is_ready:
        raise SystemExit(EXIT_FAILED)
