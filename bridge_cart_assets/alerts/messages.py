"""News in the forms that its receivers read: JSON, Slack, Teams, and a mail.

Belongs here: words and shape. Does not belong here: sending (`delivery`).

Sources of the forms: Slack's incoming webhooks take `{"text": …}` with `&`, `<` and `>` escaped
(docs.slack.dev, "Formatting message text"); Teams' workflows take an Adaptive Card in a message's
attachments (learn.microsoft.com, "Create incoming webhooks with Workflows").
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from email.message import EmailMessage
from typing import Any

from bridge_cart_assets.alerts.problems import Problem
from bridge_cart_assets.alerts.register import KnownProblem, News

Body = Mapping[str, Any]
_MOST_TITLES = 2
_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def as_json(news: News, shop: str, at: datetime) -> Body:
    """The generic form: `began` and `ended`, each with key, level, title, detail and remedy."""
    return {
        "program": "bridge-cart",
        "shop": shop,
        "sent_at": at.isoformat(timespec="seconds"),
        "began": [_fields(problem) for problem in news.began],
        "ended": [{**_fields(known.problem), "since": known.since} for known in news.ended],
    }


def as_slack(news: News, shop: str, at: datetime) -> Body:
    """An incoming webhook of Slack."""
    del at
    lines = [f"*{subject(news, shop).translate(_SLACK)}*"]
    for problem in news.began:
        lines += [
            f"*{problem.title.translate(_SLACK)}*: {problem.detail.translate(_SLACK)}",
            f"→ {problem.remedy.translate(_SLACK)}",
        ]
    lines += [_ended(known).translate(_SLACK) for known in news.ended]
    return {"text": "\n".join(lines)}


def as_teams(news: News, shop: str, at: datetime) -> Body:
    """A workflow of Teams that posts what its webhook receives."""
    del at
    blocks = [_block(subject(news, shop), weight="Bolder", size="Medium")]
    for problem in news.began:
        color = "Attention" if problem.level == "error" else "Warning"
        blocks += [
            _block(problem.title, weight="Bolder", color=color),
            _block(problem.detail),
            _block(f"→ {problem.remedy}", isSubtle=True),
        ]
    blocks += [_block(_ended(known), color="Good") for known in news.ended]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


FORMS: Mapping[str, Callable[[News, str, datetime], Body]] = {
    "json": as_json,
    "slack": as_slack,
    "teams": as_teams,
}


def as_mail(news: News, shop: str, sender: str, receivers: tuple[str, ...]) -> EmailMessage:
    """A mail in plain text."""
    mail = EmailMessage()
    mail["Subject"] = _one_line(subject(news, shop))
    mail["From"] = sender
    mail["To"] = ", ".join(receivers)
    parts = [
        f"{problem.title}\n  {problem.detail}\n  What to do: {problem.remedy}"
        for problem in news.began
    ]
    parts += [_ended(known) for known in news.ended]
    mail.set_content("\n\n".join(parts) + "\n")
    return mail


def report_mail(
    html: bytes, last: date, shop: str, sender: str, receivers: tuple[str, ...]
) -> EmailMessage:
    """The weekly report as a mail: the page itself, and the same as a file to keep."""
    mail = EmailMessage()
    mail["Subject"] = _one_line(f"{shop or 'The shop'}, week to {last}")
    mail["From"] = sender
    mail["To"] = ", ".join(receivers)
    mail.set_content(f"The week to {last} is in the attached file.\n")
    mail.add_alternative(html.decode(), subtype="html")
    mail.add_attachment(html.decode(), subtype="html", filename=f"week-to-{last}.html")
    return mail


def subject(news: News, shop: str) -> str:
    """One line that says how much began and ended, and the first titles."""
    began, ended = len(news.began), len(news.ended)
    counts = [f"{began} {'problem' if began == 1 else 'problems'}"] if began else []
    counts += [f"{ended} solved"] if ended else []
    titles = [problem.title for problem in news.began]
    titles += [known.problem.title for known in news.ended]
    more = ", …" if len(titles) > _MOST_TITLES else ""
    name = f"Bridge-Cart {shop}".rstrip()
    return f"{name}: {', '.join(counts)} ({', '.join(titles[:_MOST_TITLES])}{more})"


def _fields(problem: Problem) -> dict[str, str]:
    return {
        "key": problem.key,
        "level": problem.level,
        "title": problem.title,
        "detail": problem.detail,
        "remedy": problem.remedy,
    }


def _ended(known: KnownProblem) -> str:
    return f"Solved: {known.problem.title} (known since {known.since[:16].replace('T', ' ')} UTC)"


def _block(text: str, **look: object) -> dict[str, object]:
    return {"type": "TextBlock", "text": text, "wrap": True, **look}


def _one_line(text: str) -> str:
    return " ".join(text.split())
