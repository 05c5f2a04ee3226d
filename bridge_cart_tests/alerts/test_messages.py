"""News in each form: what began, what ended, and nothing that its receiver would obey."""

from datetime import UTC, datetime

import pytest

from bridge_cart_assets.alerts.messages import FORMS, as_json, as_mail, as_slack, as_teams, subject
from bridge_cart_assets.alerts.problems import Problem
from bridge_cart_assets.alerts.register import KnownProblem, News

AT = datetime(2024, 3, 4, 7, 0, tzinfo=UTC)
RUN = Problem("run", "error", "The last run failed", "disk <full> & slow\r\nBcc: x@y", "mend it")
OLD = Problem("source s", "warning", "Nothing new from s", "5 days ago", "look")
BEGAN = News((RUN,), ())
ENDED = News((), (KnownProblem(OLD, "2024-03-01T10:20:30+00:00"),))
BOTH = News(BEGAN.began, ENDED.ended)


@pytest.mark.parametrize(
    ("news", "shop", "words"),
    [
        (BEGAN, "", "Bridge-Cart: 1 problem (The last run failed)"),
        (ENDED, "Shop", "Bridge-Cart Shop: 1 solved (Nothing new from s)"),
        (
            News((RUN, OLD, RUN), ENDED.ended),
            "Shop",
            "Bridge-Cart Shop: 3 problems, 1 solved (The last run failed, Nothing new from s, …)",
        ),
    ],
)
def test_the_subject_counts_and_names(news: News, shop: str, words: str) -> None:
    assert subject(news, shop) == words


def test_json_has_every_field() -> None:
    body = as_json(BOTH, "Shop", AT)
    assert body["shop"] == "Shop"
    assert body["sent_at"] == "2024-03-04T07:00:00+00:00"
    assert body["began"] == [
        {
            "key": "run",
            "level": "error",
            "title": "The last run failed",
            "detail": RUN.detail,
            "remedy": "mend it",
        }
    ]
    assert [found["since"] for found in body["ended"]] == ["2024-03-01T10:20:30+00:00"]


def test_slack_is_sent_no_markup_of_the_data() -> None:
    text = as_slack(BOTH, "<!channel>", AT)["text"]
    assert "disk &lt;full&gt; &amp; slow" in text
    assert "Solved: Nothing new from s (known since 2024-03-01 10:20 UTC)" in text
    assert "<" not in text


def test_teams_is_sent_an_adaptive_card() -> None:
    [attachment] = as_teams(BOTH, "Shop", AT)["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"TextBlock"}
    texts = [block["text"] for block in card["body"]]
    assert texts[1:4] == [RUN.title, RUN.detail, "→ mend it"]
    assert texts[-1].startswith("Solved: Nothing new from s")


def test_a_mail_has_one_subject_and_its_receivers() -> None:
    mail = as_mail(
        BOTH, "a\r\nBcc: z@example.org", "from@example.org", ("a@b.example", "c@d.example")
    )
    assert mail["Subject"].startswith("Bridge-Cart a Bcc: z@example.org: 1 problem, 1 solved")
    assert mail["To"] == "a@b.example, c@d.example"
    assert mail["Bcc"] is None
    assert "What to do: mend it" in mail.get_content()


def test_the_forms_are_those_of_the_setting() -> None:
    assert list(FORMS) == ["json", "slack", "teams"]
