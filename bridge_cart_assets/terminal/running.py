"""Runs started at the terminal: waiting for the turn, progress, signals.

Belongs here: what all verbs that run a job have in common. Does not belong here: which run that
is (`cli`), or how a run is executed (`automation.run_in_process`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bridge_cart_assets.automation.latest_state import REFRESH
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.writable import refuse_read_only
from bridge_cart_assets.pipeline.open_operations import lake_shared
from bridge_cart_assets.pipeline.phases import phase
from bridge_cart_assets.pipeline.refresh_lock import refreshing_alone
from bridge_cart_assets.pipeline.stored_tables import STORED_TABLES
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.sources import Source
from bridge_cart_assets.terminal.escaping import EscapingConsole, printable

if TYPE_CHECKING:
    import dagster as dg

    from bridge_cart_assets.assets.run_scope import RunScope
    from bridge_cart_assets.automation.run_in_process import Outcome


@dataclass(frozen=True)
class Turn:
    """The turn of this process to run jobs.

    Attributes:
        settings: where things lie.
        instance: where the runs are recorded.
        console: where progress is shown.
        was_free: whether it came at once: no run was waited for, and none was ended.
    """

    settings: Settings
    instance: "dg.DagsterInstance"
    console: Console
    was_free: bool

    def refresh(
        self,
        scope: "RunScope",
        sources: Sequence[Source] = (),
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> "Outcome":
        """Run raw of some sources, and silver, gold and the catalogue."""
        from bridge_cart_assets.automation.jobs import refresh_selection

        return self._run(
            REFRESH, {**scope.tags, **(tags or {})}, refresh_selection(sources), config
        )

    def check(self) -> "Outcome":
        """Run all checks over whole tables."""
        from bridge_cart_assets.automation.jobs import CHECK

        return self._run(CHECK, {})

    def _run(
        self,
        job: str,
        tags: Mapping[str, str],
        assets: "Sequence[dg.AssetKey] | None" = None,
        config: Mapping[str, Any] | None = None,
    ) -> "Outcome":
        with phase("loading Dagster"):
            from bridge_cart_assets.automation.retention import forget_old_runs
            from bridge_cart_assets.automation.run_in_process import run_in_process

        with self.console.status(f"{job}: starting") as spinner:

            def progress(line: str) -> None:
                spinner.update(line)
                if not self.console.is_terminal:
                    _say(self.console, line)

            with phase("Dagster: job, steps, events"):
                outcome = run_in_process(
                    self.settings, self.instance, job, progress, tags, assets, config
                )
        with phase("Dagster: forgetting old runs"):
            forget_old_runs(self.instance, self.settings.keep_runs)
        return outcome


def refuse_without_engine(settings: Settings) -> None:
    """Look for the engine before anything is written.

    Raises:
        EngineError: it cannot be reached, or what it needs on this machine is missing.
    """
    from bridge_cart_assets.engine.engine import engine_at

    engine = engine_at(settings.engine, settings.engine_rows)
    if engine is not None:
        engine.check()


def say_on_console(line: str) -> None:
    """A line of progress on stderr."""
    _say(EscapingConsole(stderr=True), line)


@contextmanager
def turn(
    settings: Settings, wait_seconds: float, *, is_alone: bool = False, only_looks: bool = False
) -> Iterator[Turn]:
    """The turn of this process to run jobs, once no other run is under way.

    Runs whose process is gone are ended, and named on stderr.

    Args:
        settings: where things lie.
        wait_seconds: how long to wait for others at most.
        is_alone: whether this process has the lake for itself (`lake_alone`), and so has seen to it
            already that no other one has its turn meanwhile. It waits for runs of all jobs.
        only_looks: whether nothing is written, so that others may run beside it.

    Raises:
        ReadOnlyLakeError: a folder of the lake cannot be written.
        OperationOpenError: an erasure, retraction or restore is not complete.
        DagsterStateError: Dagster's state cannot be used.
        WaitedTooLongError: another run is still under way.
    """
    console = EscapingConsole(stderr=True)
    if not only_looks:
        refuse_read_only(Lake(settings.lake, settings.storage_options), STORED_TABLES)
    with console.status("loading Dagster"), phase("loading Dagster"):
        from bridge_cart_assets.automation.instance import dagster_home, dagster_instance
        from bridge_cart_assets.automation.jobs import CHECK, MAINTENANCE_JOB
        from bridge_cart_assets.automation.waiting import Obstacles, wait_for_turn, watching_locks

    say = partial(_say, console)
    with watching_locks(dagster_home(settings), say), ExitStack() as stack:
        if not is_alone:
            stack.enter_context(lake_shared(settings, wait_seconds, say))
        with phase("Dagster: opening history"):
            instance = stack.enter_context(dagster_instance(settings))
        with phase("waiting for other runs"):
            obstacles = wait_for_turn(instance, REFRESH, wait_seconds, say)
            for job in (CHECK, MAINTENANCE_JOB) if is_alone else ():
                wait_for_turn(instance, job, wait_seconds, say)
            came_at_once = only_looks or stack.enter_context(
                refreshing_alone(settings.data, partial(_still_waiting, wait_seconds, say))
            )
        for dead in obstacles.dead:
            say(f"ended {dead}; this run goes on from what it had committed")
        was_free = came_at_once and obstacles == Obstacles()
        yield Turn(settings, instance, console, was_free)


def _still_waiting(bound_seconds: float, say: Callable[[str], None], waited: float) -> None:
    """Wait for a process that has its turn already, whose run Dagster does not know yet."""
    from bridge_cart_assets.automation.waiting import WaitedTooLongError

    if waited >= bound_seconds:
        raise WaitedTooLongError(
            f"another process is still bringing gold up to date after {bound_seconds:,.0f} s of "
            "waiting\ntry again later, or wait longer: --wait SECONDS"
        )


def _say(console: Console, line: str) -> None:
    console.print(printable(line), highlight=False, soft_wrap=True, markup=False)
