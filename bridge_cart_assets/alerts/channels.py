"""The channels that are set up, and all of them brought up to date.

Belongs here: which channels there are, and the order of sending and noting. Does not belong here:
what is wrong (`problems`), or when it is looked for (`automation.alerting`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge_cart_assets.alerts.delivery import DeliveryError, post, send_mail
from bridge_cart_assets.alerts.messages import FORMS, as_mail
from bridge_cart_assets.alerts.problems import Problem
from bridge_cart_assets.alerts.register import News, Register
from bridge_cart_assets.settings import MessageSettings


@dataclass(frozen=True)
class Channel:
    """A way to reach people."""

    name: str
    send: Callable[[News, datetime], None]


@dataclass(frozen=True)
class Sent:
    """What became of the news: messages that were taken, and why others were not."""

    taken: int = 0
    refused: tuple[str, ...] = ()


def channels(settings: MessageSettings) -> list[Channel]:
    """Those that are set up; one whose address changes knows nothing and is sent all again."""
    found = []
    if settings.webhook:
        form = FORMS[settings.form]
        found.append(
            Channel(
                f"webhook {settings.form}",
                lambda news, at: post(settings.webhook, form(news, settings.shop, at)),
            )
        )
    server, receivers = settings.mail, settings.alert_receivers
    if server is not None and receivers:
        found.append(
            Channel(
                f"mail {', '.join(receivers)}",
                lambda news, _: send_mail(
                    as_mail(news, settings.shop, server.sender, receivers), server
                ),
            )
        )
    return found


def send_news(
    register: Register,
    problems: Iterable[Problem],
    to: Iterable[Channel],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Sent:
    """Send each channel what it does not know, and note what it has taken.

    A channel that does not take its message is sent it again next time.
    """
    taken, refused = 0, []
    problems = list(problems)
    for channel in to:
        news, at = register.news(channel.name, problems), now()
        if news.is_none:
            continue
        try:
            channel.send(news, at)
        except DeliveryError as error:
            refused.append(str(error))
        else:
            register.note(channel.name, news, at)
            taken += 1
    return Sent(taken, tuple(refused))
