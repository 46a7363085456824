"""A challenge is good for one answer: what a listener recorded opens nothing."""

from __future__ import annotations

import pytest

from indimail_kit.auth.smtp_auth import ClientExchange, Reply, ServerExchange
from indimail_kit.auth.stored import Account

ANN = Account(address="ann@example.com", pw_passwd="{CRAM}pass,")


@pytest.mark.parametrize("mechanism", ["CRAM-MD5", "CRAM-SHA256"])
def test_recorded_answer_is_accepted_in_none_of_a_thousand_exchanges(mechanism: str) -> None:
    """The answer that logged in once fits no fresh challenge of the same second, host and user."""

    def exchange() -> ServerExchange:
        return ServerExchange(mechanism, lookup=lambda _address: ANN, host="mx.example.com", unix_s=1267585100)

    first = exchange()
    challenge = first.start()
    answer = ClientExchange(mechanism, authcid="ann@example.com", passwd="pass").feed(
        challenge.line.removeprefix("334 ")
    )
    accepted = first.feed(answer.encode())
    replayed = []
    for _ in range(1000):
        again = exchange()
        again.start()
        replayed.append(again.feed(answer.encode()))
    assert isinstance(accepted, Reply)
    assert accepted.code == 235
    assert {reply.code for reply in replayed} == {535}
