"""When alerts are looked for: at the end of a verb that runs a job, and by a sensor.

Belongs here: the state that is judged, and which process does it. Does not belong here: what is
wrong about a state, and how it is sent (`alerts`).
"""

from datetime import UTC, datetime

from bridge_cart_assets.alerts.channels import Sent, channels, send_news
from bridge_cart_assets.alerts.problems import (
    TEST,
    Problem,
    failed_command,
    problems,
    unreadable,
)
from bridge_cart_assets.alerts.register import Register, open_register
from bridge_cart_assets.automation.status import collect
from bridge_cart_assets.settings import Settings


def send_alerts(settings: Settings, ended: str | None = None) -> Sent:
    """Look at the state of the lakehouse and send each channel what it does not know yet.

    Args:
        settings: where things lie, and whom to reach.
        ended: how a verb that runs a job has just ended: the words of its error, or empty when it
            did its work; None when no verb has ended.

    Raises:
        TimeoutError: another process is still sending.
    """
    to = channels(settings.messages)
    if not to:
        return Sent()
    with open_register(settings.data) as register:
        if ended is not None:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            register.failure = (ended, at) if ended else None
        return send_news(register, _problems(settings, register), to)


def send_test(settings: Settings) -> Sent:
    """Send every channel one message that says that it is a test; nothing is noted."""
    return send_news(Register(), [TEST], channels(settings.messages))


def _problems(settings: Settings, register: Register) -> list[Problem]:
    try:
        status = collect(settings)
    except Exception as error:  # noqa: BLE001 (whatever hides the state is itself the news)
        lines = str(error).splitlines() or [type(error).__name__]
        found = [unreadable(lines[0])]
        run = None
    else:
        found = problems(status)
        run = status["last_run"]
    if register.failure is None:
        return found
    words, at = register.failure
    if run is not None and run["success"] and run["finished_at"] > at:
        register.failure = None
        return found
    failure = failed_command(words)
    return [failure, *(problem for problem in found if problem.key != failure.key)]
