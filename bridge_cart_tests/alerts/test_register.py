"""Each channel is sent a problem once and its end once, whatever happens in between."""

import json
import multiprocessing
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge_cart_assets.alerts import register as module
from bridge_cart_assets.alerts.channels import Channel, send_news
from bridge_cart_assets.alerts.delivery import DeliveryError
from bridge_cart_assets.alerts.problems import Problem
from bridge_cart_assets.alerts.register import FILE_NAME, News, Register, open_register

KEYS = ("run", "check a", "source b")


def problem(key: str, detail: str = "") -> Problem:
    return Problem(key, "error", f"title of {key}", detail, "remedy")


def now() -> datetime:
    return datetime(2024, 3, 1, tzinfo=UTC)


@given(
    steps=st.lists(st.tuples(st.frozensets(st.sampled_from(KEYS)), st.booleans(), st.booleans()))
)
def test_a_channel_learns_each_beginning_and_end_once(
    steps: list[tuple[frozenset[str], bool, bool]],
) -> None:
    """Two channels that fail now and then: what each was sent adds up to what is wrong now."""
    register = Register()
    known: dict[str, set[str]] = {"one": set(), "two": set()}
    for wrong, *works in steps:

        def channel(name: str, *, is_working: bool) -> Channel:
            def send(news: News, _: datetime) -> None:
                if not is_working:
                    raise DeliveryError(name)
                began = {found.key for found in news.began}
                ended = {found.problem.key for found in news.ended}
                assert began or ended
                assert not began & known[name]
                assert ended <= known[name]
                known[name] = (known[name] | began) - ended

            return Channel(name, send)

        pair = zip(known, works, strict=True)
        to = [channel(name, is_working=is_working) for name, is_working in pair]
        sent = send_news(register, map(problem, sorted(wrong)), to, now)
        assert sent.taken + len(sent.refused) <= 2
        for name, is_working in zip(known, works, strict=True):
            assert not is_working or known[name] == wrong


def test_a_problem_that_changes_its_words_is_not_sent_again() -> None:
    sent: list[News] = []
    to = [Channel("one", lambda news, _: sent.append(news))]
    register = Register()
    for detail in ("1 of 3", "2 of 3"):
        send_news(register, [problem("run", detail)], to, now)
    send_news(register, [], to, now)
    assert [(len(news.began), len(news.ended)) for news in sent] == [(1, 0), (0, 1)]


def test_it_is_kept_for_its_user_alone(tmp_path: Path) -> None:
    with open_register(tmp_path) as register:
        register.note("one", News((problem("run"),), ()), now())
        register.failure = ("disk full", "2024-03-01T00:00:00+00:00")
    with open_register(tmp_path) as again:
        assert again == register
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_what_was_sent_is_kept_when_a_later_channel_breaks(tmp_path: Path) -> None:
    def break_down(news: News, at: datetime) -> None:
        raise ZeroDivisionError(news, at)

    to = [Channel("one", lambda *_: None), Channel("two", break_down)]
    with pytest.raises(ZeroDivisionError), open_register(tmp_path) as register:
        send_news(register, [problem("run")], to, now)
    with open_register(tmp_path) as again:
        assert list(again.sent["one"]) == ["run"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sent": 3}', '{"sent": {"a": {"k": 1}}}'])
def test_a_damaged_file_means_that_all_is_sent_again(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with open_register(tmp_path) as register:
        assert register == Register()
    assert json.loads((tmp_path / FILE_NAME).read_text()) == {"sent": {}, "failure": None}


def _send_slowly(data: Path, box: Path) -> None:
    with open_register(data) as register:

        def send(news: News, _: datetime) -> None:
            with box.open("a") as file:
                file.writelines(f"{found.key}\n" for found in news.began)

        send_news(register, [problem("run")], [Channel("one", send)], now)


def test_of_many_processes_at_once_one_sends(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    box = tmp_path / "box"
    workers = [context.Process(target=_send_slowly, args=(tmp_path, box)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert box.read_text() == "run\n"


def test_a_process_that_sends_for_ever_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.2)
    with (
        open_register(tmp_path),
        pytest.raises(TimeoutError, match="still sending"),
        open_register(tmp_path),
    ):
        pass
