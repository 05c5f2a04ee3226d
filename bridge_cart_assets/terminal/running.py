"""Runs asked for at the terminal: whose turn it is, progress, signals.

Belongs here: what all verbs that run a job have in common. Does not belong here: which run that
is (`cli`), or how a run is executed (`automation.execute`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bridge_cart_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from bridge_cart_assets.automation.execute import Outcome

Run = Callable[..., "Outcome"]


@contextmanager
def turn(settings: Settings, wait_seconds: float) -> Iterator[Run]:
    """The turn of this process to run jobs, once no other run is under way.

    Runs whose process is gone are ended, and named on stderr.

    Yields:
        A function that runs a job: `run(job, tags, assets, config)`.

    Raises:
        DagsterStateError: Dagster's state cannot be used.
        WaitedTooLongError: another run is still under way.
    """
    progress = Console(stderr=True)
    with progress.status("loading Dagster"):
        from bridge_cart_assets.automation.execute import REFRESH, dagster_instance, execute
        from bridge_cart_assets.automation.home import dagster_home
        from bridge_cart_assets.automation.waiting import wait_for_turn, watching_locks

    def say(line: str) -> None:
        progress.print(line, highlight=False, soft_wrap=True, markup=False)

    with watching_locks(dagster_home(settings), say), dagster_instance(settings) as instance:
        for dead in wait_for_turn(instance, REFRESH, wait_seconds, say):
            say(f"ended {dead}; this run goes on from what it had committed")

        def run(
            job: str,
            tags: Mapping[str, str],
            assets: "Sequence[dg.AssetKey] | None" = None,
            config: Mapping[str, Any] | None = None,
        ) -> "Outcome":
            with progress.status(f"{job}: starting") as spinner:

                def tell(line: str) -> None:
                    spinner.update(line)
                    if not progress.is_terminal:
                        say(line)

                return execute(settings, instance, job, tell, tags, assets, config)

        yield run
