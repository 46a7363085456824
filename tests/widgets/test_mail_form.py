"""The form in which a mail is written."""

from __future__ import annotations

import pytest
import traitlets as t

from indimail_kit.widgets.mail_form import MailForm

USERS = ("postmaster@example.com", "ann@example.com", "bob@example.com")


@pytest.fixture
def form() -> MailForm:
    """A form with three users."""
    return MailForm(users=USERS, mechanisms=("LOGIN", "PLAIN", "CRAM-MD5"))


def test_a_new_form_can_be_sent_at_once(form):
    """Every field has a sensible value: one click sends a clean mail."""
    assert form.take_order() == {
        "sender": "ann@example.com",
        "mechanism": "CRAM-MD5",
        "recipient": "bob@example.com",
        "subject": "Lunch on Friday",
        "body": "Hello Bob,\nshall we eat at noon?\nAnn",
        "attach": "none",
        "reject_virus": 0,
    }


def test_a_form_with_one_user_writes_to_itself():
    """Fewer users than fields is no error."""
    form = MailForm(users=USERS[:1], mechanisms=("CRAM-MD5",))

    assert (form.sender, form.recipient) == (USERS[0], USERS[0])


@pytest.mark.parametrize(
    ("name", "value", "cls"),
    [
        ("sender", "postmaster@example.com", "ik-f-sender"),
        ("recipient", "nobody@example.com", "ik-f-recipient"),
        ("mechanism", "LOGIN", "ik-f-mechanism"),
        ("subject", "x", "ik-f-subject"),
        ("body", "y", "ik-f-body"),
        ("is_infected", True, "ik-f-infected"),
        ("reject_virus", 2, "ik-f-reject-virus"),
    ],
)
def test_a_trait_is_its_field(form, name, value, cls):
    """Setting the trait sets the field that a person sees."""
    setattr(form, name, value)

    assert [child.value for child in form.children if cls in child._dom_classes] == [value]


@pytest.mark.parametrize("value", [3, -1, "1", None])
def test_rejectvirus_is_one_of_three(form, value):
    """Only 0, 1 and 2 are on offer."""
    with pytest.raises(t.TraitError):
        form.reject_virus = value


def test_the_test_virus_is_attached_on_wish(form):
    """The tick is the order for EICAR."""
    form.is_infected = True

    assert form.take_order()["attach"] == "eicar"


def test_the_demo_password_is_not_even_known_here(form):
    """With the demo password the lab's own default is used: nothing secret is in the form."""
    assert ("passwd" in form.take_order(), form.password.disabled) == (False, True)


def test_a_password_of_ones_own_is_used_once(form):
    """A typed password goes into the order, and is gone from the field."""
    form.is_demo_password = False
    form.password.value = "canary-4711"

    assert (form.take_order()["passwd"], form.password.value, form.password.disabled) == ("canary-4711", "", False)


def test_back_to_the_demo_password(form):
    """The field shuts again."""
    form.is_demo_password = False
    form.is_demo_password = True

    assert (form.password.disabled, form.password.placeholder) == (True, "the demo password")
