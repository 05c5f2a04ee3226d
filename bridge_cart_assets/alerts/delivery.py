"""Messages on their way: a POST to a webhook, a mail to an SMTP server.

Belongs here: the connection, its limits and what went wrong with it. Does not belong here: what is
sent (`messages`).
"""

import json
import smtplib
import ssl
import urllib.error
import urllib.request
from email.message import EmailMessage
from http.client import HTTPMessage
from typing import IO
from urllib.parse import urlsplit

from bridge_cart_assets.alerts.messages import Body
from bridge_cart_assets.settings import MailServer

MOST_SECONDS = 10.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class DeliveryError(Exception):
    """A message was not taken; the words name the receiver's host, never its address or a login."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The address is a secret, so it is not followed to another host."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow none."""


def post(address: str, body: Body) -> None:
    """Send a body as JSON.

    Raises:
        DeliveryError: the host cannot be reached, or answers with anything but success.
    """
    host = urlsplit(address).hostname or ""
    request = urllib.request.Request(  # noqa: S310 (settings take http and https alone)
        address,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "bridge-cart"},
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=MOST_SECONDS):
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise DeliveryError(f"the webhook at {host} answered {error.code}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise DeliveryError(f"the webhook at {host} cannot be reached: {reason}") from None


def send_mail(mail: EmailMessage, settings: MailServer) -> None:
    """Hand a mail over to the server, encrypted where the server offers it.

    Raises:
        DeliveryError: the server cannot be reached or refuses the mail, or it would take the
            password unencrypted.
    """
    where = f"the mail server {settings.host}:{settings.port}"
    try:
        with _connected(settings) as server:
            if settings.user:
                if not settings.is_tls and not _encrypted(server) and not _is_near(settings):
                    raise DeliveryError(f"{where} offers no encryption, so it gets no password")
                server.login(settings.user, settings.password)
            server.send_message(mail)
    except smtplib.SMTPResponseException as error:
        # Some servers repeat the login in their answer.
        raise DeliveryError(f"{where} answered {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused as error:
        refused = ", ".join(sorted(error.recipients))
        raise DeliveryError(f"{where} does not take mail to {refused}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"{where} cannot be used: {error}") from None


def _connected(settings: MailServer) -> smtplib.SMTP:
    if settings.is_tls:
        return smtplib.SMTP_SSL(
            settings.host, settings.port, timeout=MOST_SECONDS, context=ssl.create_default_context()
        )
    server = smtplib.SMTP(settings.host, settings.port, timeout=MOST_SECONDS)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
        server.ehlo()
    return server


def _encrypted(server: smtplib.SMTP) -> bool:
    return isinstance(server.sock, ssl.SSLSocket)


def _is_near(settings: MailServer) -> bool:
    return settings.host in LOOPBACK
