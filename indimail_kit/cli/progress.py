"""``progress``: what learners handed in, for their trainer."""

from __future__ import annotations

from pathlib import Path

import click

from indimail_kit.cli.output import EXIT_FOUND, json_option, note, print_json, print_table


@click.command()
@click.argument("files", metavar="FILE…", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--class-key",
    "class_key_file",
    metavar="FILE",
    envvar="INDIMAIL_KIT_CLASS_KEY",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file with the class's key, to check the signatures. Default $INDIMAIL_KIT_CLASS_KEY.",
)
@click.option(
    "--new-key",
    "new_key_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Make a key for a class, in a new file that only you can read; then end.",
)
@json_option
def progress(files: tuple[Path, ...], class_key_file: Path | None, new_key_file: Path | None, as_json: bool) -> None:
    """Show how far learners are, from the files that `course.progress().save("…")` wrote.

    FILE is such a file, or a directory of them. A good signature says that nobody changed the file since a kernel with
    this class's key saved it. It does not say who sat at that kernel, nor that the work is their own: every learner's
    kernel has the key. Exit code 1 if a signature is wrong or a file damaged.
    """
    from indimail_kit.course.class_key import new_class_key
    from indimail_kit.course.hand_in import LESSONS, read_hand_in

    if new_key_file is not None:
        if files:
            raise click.UsageError("--new-key stands alone")
        key = new_class_key(new_key_file)
        note(f"key {key.name} is in {new_key_file}; INDIMAIL_KIT_CLASS_KEY={new_key_file} lets kernels sign with it.")
        return
    if not files:
        raise click.UsageError("a FILE is wanted, or --new-key FILE")
    handed_in = read_hand_in(files, class_key_file=class_key_file)
    if as_json:
        print_json([one.as_document() for one in handed_in.files])
    else:
        heads = ("learner", *LESSONS, "signature", "remarks", "file")
        columns = [(head, "right" if head in LESSONS else "left") for head in heads]
        styles = ["bold red" if one.is_bad else "" for one in handed_in.files]
        rows = zip(handed_in.table(), styles, strict=True)
        print_table(columns, [[(row[head], style) for head in heads] for row, style in rows])
    if handed_in.has_bad:
        raise SystemExit(EXIT_FOUND)
