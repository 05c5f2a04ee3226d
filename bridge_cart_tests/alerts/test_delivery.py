"""A message is taken, or it is said why not, without the address or the login."""

import socket
from email.message import EmailMessage

import pytest

from bridge_cart_assets.alerts import delivery
from bridge_cart_assets.alerts.delivery import DeliveryError, post, send_mail
from bridge_cart_assets.settings import MailServer
from bridge_cart_tests.alerts.receivers import postbox, webhook


def mail() -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = "S", "a@example.org", "b@example.org"
    made.set_content("Text – with a dash\n")
    return made


def server(port: int, host: str = "127.0.0.1", **more: str) -> MailServer:
    return MailServer(host, port, False, "a@example.org", **more)


def test_a_body_is_posted_as_json() -> None:
    with webhook() as receiver:
        post(receiver.address, {"text": "é"})
    assert receiver.bodies == [{"text": "é"}]


@pytest.mark.parametrize("status", [302, 400, 404, 500])
def test_any_other_answer_is_an_error_and_no_redirect_is_followed(status: int) -> None:
    with webhook() as receiver:
        receiver.status = status
        with pytest.raises(DeliveryError) as error:
            post(receiver.address, {})
    assert str(error.value) == f"the webhook at 127.0.0.1 answered {status}"
    assert len(receiver.bodies) == 1


def test_a_receiver_that_is_not_there_is_named_without_its_secret() -> None:
    with pytest.raises(DeliveryError) as error:
        post("http://127.0.0.1:9/T0KEN", {})
    assert "127.0.0.1" in str(error.value)
    assert "T0KEN" not in str(error.value)


def test_a_receiver_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MOST_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DeliveryError):
            post(f"http://127.0.0.1:{port}/", {})
        with pytest.raises(DeliveryError):
            send_mail(mail(), server(port))


def test_a_mail_is_handed_over() -> None:
    with postbox() as box:
        send_mail(mail(), server(box.port))
    [taken] = box.mails
    assert taken["Subject"] == "S"
    assert taken.get_content().splitlines() == ["Text – with a dash"]


def test_a_refused_mail_is_an_error_with_the_servers_code() -> None:
    with postbox() as box:
        box.refuses = "550 no, and your password is hunter2"
        with pytest.raises(DeliveryError, match=r"answered 550$"):
            send_mail(mail(), server(box.port))


def test_a_password_goes_to_no_other_machine_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    with postbox() as box:
        login = {"user": "u", "password": "hunter2"}
        monkeypatch.setattr(delivery, "LOOPBACK", ())
        with pytest.raises(DeliveryError, match="no encryption, so it gets no password"):
            send_mail(mail(), server(box.port, **login))
        assert box.mails == []
