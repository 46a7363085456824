"""Local or remote, and how addresses are written."""

from __future__ import annotations

from email.headerregistry import Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.routing import Route, Routing, quote_address, sender_for

ROUTING = Routing(
    locals={"Local.test", "mx1.local.test"},
    virtual_domains={"virtual.test": "virtual.test", ".wild.test": "wild", "one@other.test": "one", "off.test": ""},
    percent_hack={"local.test"},
    default_host="local.test",
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param(b"bob@local.test", Route("local", b"bob@local.test"), id="locals"),
        pytest.param(b"bob@LOCAL.test", Route("local", b"bob@LOCAL.test"), id="domains in any case"),
        pytest.param(b"bob@sub.local.test", Route("remote", b"bob@sub.local.test"), id="a sub-domain is another one"),
        pytest.param(b"bob", Route("local", b"bob@local.test"), id="no host: envnoathost"),
        pytest.param(b"", Route("local", b"@local.test"), id="empty"),
        pytest.param(b"bob@far.test", Route("remote", b"bob@far.test"), id="remote"),
        pytest.param(b"bob@virtual.test", Route("local", b"virtual.test-bob@virtual.test"), id="virtual domain"),
        pytest.param(b"bob@a.wild.test", Route("local", b"wild-bob@a.wild.test"), id="suffix"),
        pytest.param(b"one@other.test", Route("local", b"one-one@other.test"), id="virtual address"),
        pytest.param(b"two@other.test", Route("remote", b"two@other.test"), id="another address there"),
        pytest.param(b"bob@off.test", Route("remote", b"bob@off.test"), id="switched off"),
        pytest.param(b"bob%far.test@local.test", Route("remote", b"bob@far.test"), id="percent hack"),
        pytest.param(b"a%b.test%local.test@local.test", Route("remote", b"a@b.test"), id="percent hack twice"),
        pytest.param(b'"a@b"@local.test', Route("local", b'"a@b"@local.test'), id="two at signs: the last one counts"),
    ],
)
def test_recipient_is_routed_as_todo_proc_does(address: bytes, expected: Route) -> None:
    """todo-proc.c rewrite(): locals, then virtualdomains from the whole address to the last suffix, else remote."""
    assert ROUTING.rewrite(address) == expected


def test_catch_all_virtual_domain_takes_what_is_left() -> None:
    """An entry with an empty name in virtualdomains is for every other address."""
    assert Routing(locals=(), virtual_domains={"": "all"}).rewrite(b"x@y.test") == Route("local", b"all-x@y.test")


@pytest.mark.parametrize("address", [b"bob@local.test", b"bob@virtual.test", b"bob@a.wild.test", b"bob@far.test"])
def test_prefix_of_a_virtual_domain_can_be_taken_off(address: bytes) -> None:
    """Bounces name the address that the sender knows."""
    assert ROUTING.strip_prefix(ROUTING.rewrite(address).address) == address


def test_address_that_only_looks_prefixed_stays() -> None:
    """Only the prefix of the address's own domain is taken off."""
    assert ROUTING.strip_prefix(b"wild-bob@virtual.test") == b"wild-bob@virtual.test"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param(b"ann@local.test", b"ann@local.test", id="plain"),
        pytest.param(b"", b"", id="empty"),
        pytest.param(b"sp ace@local.test", b'"sp ace"@local.test', id="blank"),
        pytest.param(b'q"uote@local.test', b'"q\\"uote"@local.test', id="quote"),
        pytest.param(b".dot@local.test", b'".dot"@local.test', id="first dot"),
        pytest.param(b"a..b@local.test", b'"a..b"@local.test', id="two dots"),
        pytest.param(b"no-host", b"no-host", id="without host"),
    ],
)
def test_local_part_gets_quotes_where_it_needs_them(address: bytes, expected: bytes) -> None:
    """RFC 5322 section 3.4.1; libqmail quote.c."""
    assert quote_address(address) == expected


@given(local=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30))
def test_quoted_address_reads_back(local: str) -> None:
    """Python's own parser finds the local part again."""
    quoted = quote_address(local.encode() + b"@example.com")

    assert Address(addr_spec=quoted.decode()).username == local


@given(address=st.binary(max_size=40))
def test_newline_in_an_address_cannot_forge_a_header(address: bytes) -> None:
    """Whatever an envelope holds, it stays one line."""
    assert not {10, 13} & set(quote_address(address))


@pytest.mark.parametrize(
    ("sender", "recipient", "expected"),
    [
        pytest.param(b"ann@a.test", b"bob@b.test", b"ann@a.test", id="ordinary"),
        pytest.param(b"", b"bob@b.test", b"", id="bounce"),
        pytest.param(b"#@[]", b"bob@b.test", b"#@[]", id="double bounce"),
        pytest.param(b"owner-@host-@[]", b"recip@reciphost", b"owner-recip=reciphost@host", id="qmail-send(8)"),
        pytest.param(b"no-host-@[]", b"bob@b.test", b"no-host-@[]", id="no host in the sender"),
        pytest.param(b"l-@a.test-@[]", b"bob", b"l-@a.test-@[]", id="no host in the recipient"),
    ],
)
def test_variable_return_path_names_the_recipient(sender: bytes, recipient: bytes, expected: bytes) -> None:
    """qmail-send(8): owner-@host-@[] and recip@reciphost give owner-recip=reciphost@host."""
    assert sender_for(sender, recipient) == expected
