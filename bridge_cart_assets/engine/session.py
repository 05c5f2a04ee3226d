"""A session of Spark: the address, what has to be there, how it begins and ends.

Belongs here: whatever can be wrong before and during work on a cluster, in one or two lines. Does
not belong here: the work (`cluster`).
"""

import atexit
import importlib.metadata
import importlib.util
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import polars as pl

from bridge_cart_assets.engine.engine import EngineError, python_path

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

_VARIABLE = "BRIDGE_CART_ENGINE"
_CONNECT, _CONNECT_PORT = "sc://", 15002
_SECONDS = 5.0
_EXECUTOR_SECONDS = 300.0
# Enough numbers that each of the tasks that run at once gets some.
_MANY = 100_000
_MOST_WORDS = 300
_RAISED = re.compile(r"[A-Za-z_.]+(Error|Exception|Exit)\b.*: ")
_SAID = re.compile(r"\b(Error|ERROR|Exception)\b")
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # A bucket is as large as it should be: Spark is not to put buckets together again.
    "spark.sql.adaptive.enabled": "false",
    # A row is a part of a bucket, so a batch of ten thousand would be too much.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "64",
}
# Java compiles for hours to come what here runs for a minute, beside the work on the same cores.
_OF_SHORT_LIFE = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_LAUNCH = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.maxResultSize": "0",
    # An executor runs as many tasks as it has cores, and Polars would use all of them in each.
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
    "spark.executorEnv.OMP_NUM_THREADS": "1",
}
_OLDEST_JAVA = 17
_SERVER = re.compile(r"(?:spark|k8s|sc)://(?:https?://)?(\[[0-9A-Fa-f:.]+\]|[^:/;,]+)(?::(\d+))?")


class Session:
    """The session of this process with the Spark at an address; it begins when it is asked for."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._spark: SparkSession | None = None
        self._parallelism = 0

    @property
    def _name(self) -> str:
        """The address without what may be a secret."""
        return self.address.partition(";")[0].rstrip("/")

    @property
    def _is_of_this_machine(self) -> bool:
        return self.address.startswith("local")

    def check(self) -> None:
        """Look whether all is there that a session needs.

        Raises:
            EngineError: pyspark, Java or a server at the address is missing.
        """
        if importlib.util.find_spec("pyspark") is None:
            raise EngineError(
                f"{_VARIABLE}={self._name} needs pyspark, which is not installed\n"
                "pip install 'bridge-cart[spark]', or unset the variable"
            )
        if not self.address.startswith(_CONNECT):
            self._look_for_java()
        if not self._is_of_this_machine:
            self._look_for_server()

    def _look_for_java(self) -> None:
        home = os.environ.get("JAVA_HOME")
        java = Path(home, "bin", "java") if home else Path(shutil.which("java") or "")
        if not os.access(java, os.X_OK) or not java.is_file():
            where = f"JAVA_HOME={home} has none" if home else "there is none in PATH"
            raise EngineError(
                f"{_VARIABLE}={self._name} needs Java {_OLDEST_JAVA} or newer, and {where}\n"
                "install one, or unset the variable"
            )

    def _look_for_server(self) -> None:
        """Of several masters one that answers is enough."""
        servers = [
            found for one in self.address.split(",") if (found := _SERVER.match(_with_scheme(one)))
        ]
        problem: OSError | None = None
        for found in servers:
            host, port = found[1].strip("[]"), int(found[2] or _default_port(self.address))
            try:
                socket.create_connection((host, port), timeout=_SECONDS).close()
            except OSError as error:
                problem = error
            else:
                return
        reason = problem.strerror or str(problem) if problem else "it names no server"
        raise EngineError(
            f"the engine {self._name} cannot be reached: {reason}\n"
            f"start it, or set {_VARIABLE}=local; nothing was changed"
        )

    @property
    def spark(self) -> "SparkSession":
        """The session.

        Raises:
            EngineError: it cannot begin.
        """
        if self._spark is None:
            self.check()
            with failures(), tempfile.TemporaryFile() as said:
                try:
                    self._spark = self._begin(said)
                    atexit.register(self.stop)
                    self._parallelism = self._look_at_executors(self._spark)
                except BaseException:
                    self.stop()
                    raise
        return self._spark

    @property
    def parallelism(self) -> int:
        """How many tasks run at once."""
        return self._parallelism if self.spark else 0

    @property
    def on_disk(self) -> Any:
        """Where executors keep what is needed again."""
        from pyspark import StorageLevel

        return StorageLevel.DISK_ONLY

    def _begin(self, said: IO[bytes]) -> "SparkSession":
        """Start a session; what Java says of it goes to a file and not to the terminal."""
        # Pandas is not used; that it is a newer one is of no concern here.
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        if self.address.startswith(_CONNECT):
            from pyspark.sql.connect.session import SparkSession as Remote

            remote = Remote.builder.remote(self.address).getOrCreate()
            for name, value in _SETTINGS.items():
                remote.conf.set(name, value)
            return remote  # type: ignore[return-value]  # the same methods
        from pyspark import SparkConf, SparkContext
        from pyspark.java_gateway import launch_gateway
        from pyspark.sql import SparkSession as Direct

        conf = SparkConf().setMaster(self.address).setAppName("bridge-cart")
        for name, value in {**_SETTINGS, **_LAUNCH}.items():
            conf.set(name, value)
        if "SPARK_CONF_DIR" not in os.environ:
            # What comes back passes through Java, which has 1 GB by default.
            conf.set("spark.driver.memory", "4g")
        if self._is_of_this_machine:
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            conf.set("spark.driver.host", "127.0.0.1")
            conf.set("spark.executorEnv.PYTHONPATH", python_path())
            for who in ("driver", "executor"):
                conf.set(f"spark.{who}.extraJavaOptions", _OF_SHORT_LIFE)
        try:
            gateway = launch_gateway(conf, popen_kwargs={"stdout": said, "stderr": said})  # type: ignore[no-untyped-call]
            return Direct(SparkContext(conf=conf, gateway=gateway))
        except Exception as error:
            said.seek(0)
            problem = _problem_said(said.read().decode(errors="replace")) or first_line(error)
            raise EngineError(f"the engine {self._name} does not start: {problem}") from error

    def _look_at_executors(self, spark: "SparkSession") -> int:
        """How many tasks run at once, once it is certain that executors have what is needed here.

        Raises:
            EngineError: no executor comes, or it has other versions.
        """
        answers: list[Any] = []
        asked = threading.Thread(target=lambda: answers.append(_versions_of(spark)), daemon=True)
        asked.start()
        asked.join(_EXECUTOR_SECONDS)
        if not answers:
            raise EngineError(
                f"the engine {self._name} has given no executor for {_EXECUTOR_SECONDS:.0f} s\n"
                "look whether it has free workers, and that they can connect to this machine"
            )
        if isinstance(answers[0], Exception):
            raise answers[0]
        mine = _versions()
        for theirs in answers[0]:
            if theirs != mine:
                raise EngineError(
                    f"the executors of {self._name} have {theirs}, here it is {mine}\n"
                    "install the same versions of bridge-cart and polars on all of them"
                )
        return max(1, len(answers[0]))

    def stop(self) -> None:
        """End the session, if there is one."""
        spark, self._spark = self._spark, None
        if spark is None:
            return
        context = None if self.address.startswith(_CONNECT) else spark.sparkContext
        work = _work_folder(context.applicationId) if context else None
        with suppress(Exception):  # it has ended already, with the process that had it
            spark.stop()
        if work is not None and self.address.startswith("local-cluster"):
            shutil.rmtree(work, ignore_errors=True)


def _work_folder(application: str) -> Path:
    """Where the executors of a local cluster leave their logs: in the folder of pyspark."""
    from pyspark.find_spark_home import _find_spark_home

    return Path(_find_spark_home(), "work", application)


def _versions() -> str:
    try:
        package = importlib.metadata.version("bridge-cart")
    except importlib.metadata.PackageNotFoundError:
        package = "not installed"
    return f"bridge-cart {package}, polars {pl.__version__}"


def _versions_of(spark: "SparkSession") -> Any:
    """What each of the tasks that run at once has; or the exception that tells what is wrong."""
    try:
        answers = spark.range(0, _MANY).mapInArrow(_tell_versions, "versions string").toArrow()
    except Exception as error:  # noqa: BLE001 - told by the thread that waits
        return error
    return answers.column("versions").to_pylist()


def _tell_versions(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    import pyarrow

    rows = sum(batch.num_rows for batch in batches)
    told = [_versions()] if rows else []
    yield from pyarrow.table({"versions": pyarrow.array(told, pyarrow.string())}).to_batches()


@contextmanager
def failures() -> Iterator[None]:
    """Whatever goes wrong on a cluster as one or two lines.

    Raises:
        EngineError: in the place of what pyspark, its gateway or the connection raised.
    """
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(f"the engine has failed: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The line that says what happened: of Python on an executor the last one of its traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    raised = [line for line in lines if _RAISED.match(line)]
    return (raised[-1] if raised else lines[0])[:_MOST_WORDS]


def _problem_said(text: str) -> str | None:
    """The first error in what Java has said."""
    errors = (line for line in text.splitlines() if _SAID.search(line))
    return next((line.strip()[:_MOST_WORDS] for line in errors), None)


def _with_scheme(server: str) -> str:
    """Of several masters in one address only the first has its scheme."""
    return server if "://" in server else f"spark://{server}"


def _default_port(address: str) -> int:
    if address.startswith(_CONNECT):
        return _CONNECT_PORT
    return 443 if address.startswith("k8s://") else 7077
