"""What people get wrong in a message: one table, a row a mistake, each with the sentence that a colleague would say.

Source: RFC 4954 section 4, RFC 4616, RFC 2195; what is asked about telnet, swaks and mail programs: PHPMailer 3039,
thunderbird-android 1015, MailKit 1734 (characters beyond ASCII), aiosmtpd 219 and bpo-27820 (the password sent twice),
gmail_xoauth 14 (the 334 after a refused token), jakartaee mail-api 155 (``*`` where an empty line belongs).

Rule 1: a row says what can be seen in the octets. What only the password can tell is in `annotate_proof`, what only
the reply tells in `annotate_replies`.
Rule 2: where a sight has several causes, the sentence names them.
Rule 3: no sentence repeats what was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from indimail_kit.auth import annotate_sights as sights
from indimail_kit.auth.annotate_model import Exchange, Message


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row.

    Attributes:
        name: Short, for the summary.
        kinds: Kinds of message that it is looked for in; () for all.
        finds: Says whether it is there.
        sentence: The verdict, with the remedy.
    """

    name: str
    kinds: tuple[str, ...]
    finds: sights.Sight
    sentence: str


TEXTS: Final = sights.TEXTS
USERS: Final = ("login user", "plain", "cram response", "digest response", "scram client-first", "xoauth2")
TOKENS: Final = ("xoauth2", "oauthbearer")

NO_ANSWERS: Final = frozenset({"late", "cancel", "equals", "command"})
"""Kinds of message that no mechanism wants; `annotate_replies` speaks about them."""

TOO_LONG: Final = Mistake("too long a line", (), sights.is_too_long_line,
            "The line is longer than the 12288 octets that a server must take (RFC 4954 section 4); it is not looked"
            " at further.")  # fmt: skip
"""The one row that ends the search: no line of such a length is anybody's password."""

MISTAKES: Final = (
    TOO_LONG,
    # what happened to the Base64
    Mistake("typed in clear", (), sights.is_typed,
            "This is no Base64 of a text: it looks as if it was typed as it is. After 334 the server wants Base64,"
            " from printf %s TEXT | base64."),
    Mistake("quotation marks around the Base64", (), sights.fault("quotation marks"),
            "Quotation marks or brackets stand around the Base64; RFC 4954 section 4 has none. A strict server answers"
            " 501; qmail-smtpd does not notice and decodes something else."),
    Mistake("white space in the Base64", (), sights.fault("white space"),
            "There is white space inside of the Base64: it must be one line without blanks. A strict server answers"
            " 501; qmail-smtpd decodes something else."),
    Mistake("Base64 cut into lines", (), sights.is_wrapped,
            "The Base64 was cut into lines: `base64` breaks after 76 characters. The server takes the first line"
            " for all and the next for another answer or a command. Use base64 -w0."),
    Mistake("percent-encoded Base64", (), sights.fault("percent-encoded"),
            "%3D, %2B or %2F stand in the Base64: it was encoded for an address of the Web. Write = + / again."),
    Mistake("URL-safe Base64", (), sights.fault("URL-safe alphabet"),
            "This is the URL-safe alphabet (- and _ of RFC 4648 section 5). SMTP wants + and / (section 4). A strict"
            " server answers 501; qmail-smtpd decodes something else."),
    Mistake("padding missing or wrong", (), sights.fault("padding"),
            "The padding is not right: Base64 comes in groups of four characters, filled up with =. RFC 4954 section 4"
            " wants it exact; qmail-smtpd takes a wrong one and may lose the last octets."),
    Mistake("two Base64 texts in one", (), sights.fault("two texts"),
            "= stands in the middle: these are two Base64 texts glued together, such as user and password. Encode the"
            " whole message at once, or send each on its own line."),
    Mistake("Base64 cut off", (), sights.fault("cut off"),
            "No Base64 has this length: a character is missing or too many. Perhaps it was not copied whole, or the"
            " text was typed in clear."),
    Mistake("spare bits", (), sights.fault("spare bits"),
            "Bits that no octet needs are not zero: a character before the padding was changed or lost (RFC 4648"
            " section 3.5)."),
    Mistake("masked in the record", (), sights.fault("masked"),
            "The program that wrote this record has masked the answer: nothing can be checked here."),
    Mistake("Base64 of Base64", TEXTS, sights.is_double,
            "This is Base64 of Base64: it was encoded twice. Perhaps the program encodes by itself, and was given a"
            " text that was encoded already."),
    Mistake("the challenge sent back", (), sights.is_challenge,
            "This is the server's own challenge, sent back as it came. The answer must be worked out from it."),
    # what happened to the text before it was encoded
    Mistake("newline at the end", (*TEXTS, "cram response"), sights.ends_with_newline,
            "There is a newline at the end: `echo` without -n puts it there, and the server takes it for a part of the"
            " text. Use printf %s TEXT | base64."),
    Mistake("carriage return at the end", (*TEXTS, "cram response"), sights.ends_with_cr,
            "There is a carriage return at the end: the text comes from a file or a clipboard with Windows line"
            " ends."),
    Mistake("escape written out", TEXTS, sights.has_escape,
            "\\0, \\n or \\x.. was sent as the characters themselves. `echo` and single programs do not turn them into"
            " octets; printf does. (swaks --auth-plaintext only shows them so and sends Base64.)"),
    Mistake("digits after \\0 read as octal", ("plain",), sights.is_octal,
            "A control character stands where NUL belongs: printf reads up to three digits after the backslash as"
            " one octal number, so \\0 before a digit goes wrong. Write \\000."),
    Mistake("option of echo in the text", TEXTS, sights.is_echo_option,
            "The text begins with -n or -e: this shell's `echo` has no such option and prints it. Use printf %s."),
    Mistake("UTF-16", (*TEXTS, "cram response"), sights.is_utf16_text,
            "This is UTF-16, two octets a character: PowerShell's and .NET's \"Unicode\". SASL wants UTF-8"
            " ([Text.Encoding]::UTF8)."),
    Mistake("byte order mark", TEXTS, sights.has_bom,
            "It begins with a byte order mark (EF BB BF): the text was saved by an editor as \"UTF-8 with BOM\"."),
    Mistake("not UTF-8", TEXTS, sights.is_old_charset,
            "The octets are not UTF-8, perhaps Latin-1 or Windows-1252: a character beyond ASCII was encoded in an"
            " old character set. RFC 4616 section 2 wants UTF-8. (If no such character was meant: it was typed in"
            " clear.)"),
    Mistake("UTF-8 encoded twice", TEXTS, sights.is_mojibake,
            "Characters beyond ASCII look encoded twice: UTF-8 was taken for Latin-1 and encoded as UTF-8 once more."),
    Mistake("invisible character", TEXTS, sights.has(sights.INVISIBLE),
            "There is a character that cannot be seen, a non-breaking space or a zero-width one: it was copied from"
            " a Web page or a word processor. Type the text by hand."),
    Mistake("typographic character", TEXTS, sights.has(sights.TYPOGRAPHIC),
            "There are typographic quotation marks, dashes or dots: a word processor or a chat has put them in"
            " place of what was typed."),
    Mistake("accent apart from its letter", TEXTS, sights.is_decomposed,
            "An accent is a character of its own here (macOS file names do that). Other systems send letter and"
            " accent as one character; a server that does not normalise sees two passwords."),
    Mistake("quotation marks in the text", TEXTS, sights.is_quoted,
            "User or password begin and end with a quotation mark: if that is not meant, a shell or a configuration"
            " file has kept it."),
    Mistake("backspace typed", (), sights.has_editing_keys,
            "Backspace or arrow keys were sent as characters: this telnet does not edit lines. Type the line again"
            " in one go."),
    Mistake("HTML entity", TEXTS, sights.has_entity,
            "&amp; or the like stands in it: if that is not meant, a Web form has escaped the text."),
    Mistake("blanks around", TEXTS, sights.has_blanks_around,
            "User or password begin or end with a blank."),
    Mistake("application password with blanks", ("login passwd", "plain"), sights.has_app_password,
            "Four groups of four letters with blanks: an application password as the provider shows it. Some"
            " servers want it without the blanks."),
    # who is it
    Mistake("user without its domain", USERS, sights.no_domain,
            "The user has no domain. IndiMail's users are whole addresses (user@example.com). If it was typed"
            " whole: in perl's double quotes @example is a variable and disappears."),
    Mistake("percent-encoded user", USERS, sights.has_percent_user,
            "%40 stands for @ in addresses of the Web only; here it is three characters."),
    Mistake("user in angle brackets", (*USERS, "response"), sights.has_bracketed_user,
            "The user stands in <> or behind mailto:. SASL wants the bare address."),
    Mistake("user and password exchanged", TEXTS, sights.is_swapped,
            "The second text is an address and the first is none: user and password have probably changed places. The"
            " user comes first."),
    Mistake("the same text twice", ("login passwd",), sights.is_same,
            "User and password are the same text. Perhaps one was sent twice: Python before 3.8 sends the password for"
            " both when it sends no initial response (bpo-27820)."),
    Mistake("PLAIN message in LOGIN", ("login user", "login passwd"), sights.is_plain_in_login,
            "There are NULs in it: a message for PLAIN, which says all at once. LOGIN wants user and password one"
            " after the other."),
    Mistake("user and password in one answer", ("login user", "login passwd"), sights.is_both_in_one,
            "An address, a colon and more: user and password in one answer, as HTTP's Basic has it. LOGIN wants"
            " them one after the other."),
    Mistake("empty answer", ("login user", "login passwd"), sights.is_empty,
            "An empty answer. qmail-smtpd asks on after an empty user and says 501 only after the password."),
    # PLAIN
    Mistake("first NUL missing", ("plain",), sights.lacks_first_nul,
            "The NUL at the beginning is missing: PLAIN is authzid NUL user NUL password, and the authzid is mostly"
            " empty. Use printf '\\000%s\\000%s' USER PASSWORD | base64."),
    Mistake("second NUL missing", ("plain",), sights.lacks_second_nul,
            "There is one NUL only: between user and password another is needed (printf '\\000%s\\000%s' USER"
            " PASSWORD)."),
    Mistake("other separator for NUL", ("plain",), sights.has_separator,
            "User and password are divided by a colon, a blank or a line end; PLAIN wants NUL, the octet 0 (RFC 4616"
            " section 2)."),
    Mistake("no NUL at all", ("plain",), sights.has_no_nul,
            "There is no NUL in it: one text only, such as LOGIN's user or password. PLAIN wants authzid NUL user NUL"
            " password in one message."),
    Mistake("too many NULs", ("plain",), sights.has_many_nuls,
            "There are more than two NULs. qmail-smtpd drops what stands behind the third; a strict server says 501."
            " Often the last is the end of a C string."),
    Mistake("user or password empty", ("plain",), sights.is_empty_part,
            "User or password is empty: RFC 4616 section 2 wants at least one character in each. An unset variable?"),
    Mistake("acts for another user", ("plain",), sights.acts_for_other,
            "Authzid and user differ: the client asks to act for another user. qmail-smtpd drops the authzid without a"
            " look; other servers refuse."),
    Mistake("too long for fd 3", ("login passwd", "plain"), sights.is_too_long,
            "User and password are longer than the 512 octets that IndiMail's checkpassword modules read from fd 3:"
            " such a login always fails."),
    # tokens
    Mistake("control-A missing", TOKENS, sights.is_bad_bearer,
            "The octet 1 (control-A) between the fields is missing or was written out (^A, \\x01): XOAUTH2 is"
            " user=NAME ^A auth=Bearer TOKEN ^A ^A, with real octets."),
    Mistake("Bearer missing", TOKENS, sights.lacks_bearer,
            "\"Bearer\" and a blank are missing between auth= and the token."),
    # CRAM, as far as it shows without the password
    Mistake("digest without the user", ("cram response",), sights.is_lone_digest,
            "This is a digest alone. A CRAM answer is the user, a blank and the digest (RFC 2195 section 2)."),
    Mistake("digest in upper case", ("cram response",), sights.is_upper_digest,
            "The digest has capital letters. RFC 2195 section 2 wants lower case; IndiMail compares text, and"
            " refuses."),
    Mistake("digest not in hexadecimal", ("cram response",), sights.is_odd_digest,
            "Behind the user there is no hexadecimal number: perhaps the digest itself (its octets, or Base64 of"
            " them), or the password."),
    Mistake("no blank in a CRAM answer", ("cram response",), sights.is_single_word,
            "There is no blank in it: a CRAM answer is the user, a blank and the digest. Is it the user or the"
            " password alone, as for LOGIN?"),
)  # fmt: skip
"""The mistakes that can be seen in one message, in the order in which they are told."""


def find_mistakes(message: Message, exchange: Exchange) -> tuple[Mistake, ...]:
    """Return the rows that fit a message; what is no answer of a mechanism has none."""
    if message.kind in NO_ANSWERS:
        return ()
    if TOO_LONG.finds(message, exchange):
        return (TOO_LONG,)
    return tuple(
        row for row in MISTAKES if (not row.kinds or message.kind in row.kinds) and row.finds(message, exchange)
    )
