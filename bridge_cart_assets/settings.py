"""What the environment decides, read once into one frozen object.

Belongs here: names, defaults and accepted values of the environment variables, and the paths
that follow from them. Does not belong here: anything that touches the disk or the network.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

_URI = re.compile(r"^(s3|s3a|gs|az|abfs|abfss)://[^/]+")
_STORES = ("AWS_", "GOOGLE_", "AZURE_")
_HOST = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)$")
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


class SettingsError(ValueError):
    """A variable of the environment has a value that is not accepted."""

    def __init__(self, variable: str, value: str, accepted: str) -> None:
        super().__init__(f"{variable}={value!r} is not accepted: {accepted}")


@dataclass(frozen=True)
class Settings:
    """Where things lie and how they are served.

    Attributes:
        data: working folder; holds `landing/`, the DuckDB catalogue and Dagster's own files.
        lake: root of the Delta tables, a folder or an object-store URI.
        start_date: first batch day of the daily partitions.
        report_host, report_port: where the report page listens.
        dagster_port: where `make dev` serves the Dagster UI.
        storage_options: the object store's usual variables, when the lake is in one.
    """

    data: Path = Path("data")
    lake: str = "data/lake"
    start_date: date = date(2024, 1, 1)
    report_host: str = "127.0.0.1"
    report_port: int = 5010
    dagster_port: int = 3000
    storage_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def landing(self) -> Path:
        """The folder into which sources drop their files, one folder per source."""
        return self.data / "landing"

    @property
    def catalogue(self) -> Path:
        """The DuckDB file that analysts and the report page read."""
        return self.data / "bridge_cart.duckdb"

    @property
    def dagster_home(self) -> Path:
        """Dagster's folder when `DAGSTER_HOME` names none."""
        return self.data / "dagster"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the `BRIDGE_CART_*` variables.

        Raises:
            SettingsError: a value is not accepted; the message names variable, value and remedy.
        """
        env = os.environ if environment is None else environment
        data = Path(env.get("BRIDGE_CART_DATA") or "data").expanduser().absolute()
        if data.exists() and not data.is_dir():
            raise SettingsError("BRIDGE_CART_DATA", str(data), "it must be a folder")
        engine = env.get("BRIDGE_CART_ENGINE") or "local"
        if engine != "local":
            raise SettingsError("BRIDGE_CART_ENGINE", engine, "this version runs on 'local' only")
        lake = _lake(env.get("BRIDGE_CART_LAKE"), data)
        return cls(
            data=data,
            lake=lake,
            storage_options=_storage_options(env) if _URI.match(lake) else {},
            start_date=_day(env, "BRIDGE_CART_START_DATE", cls.start_date),
            report_host=_host(env, "BRIDGE_CART_REPORT_HOST", cls.report_host),
            report_port=_port(env, "BRIDGE_CART_REPORT_PORT", cls.report_port),
            dagster_port=_port(env, "BRIDGE_CART_DAGSTER_PORT", cls.dagster_port),
        )


def _lake(value: str | None, data: Path) -> str:
    if not value:
        return str(data / "lake")
    if _URI.match(value):
        return value.rstrip("/")
    if _SCHEME.match(value):
        raise SettingsError(
            "BRIDGE_CART_LAKE", value, "a folder, or a URI that begins with s3://, gs:// or az://"
        )
    folder = Path(value).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise SettingsError("BRIDGE_CART_LAKE", value, "it must be a folder or an object-store URI")
    return str(folder)


def _storage_options(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_STORES)}


def _day(env: Mapping[str, str], name: str, default: date) -> date:
    value = env.get(name)
    if not value:
        return default
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError(value)
        day = date.fromisoformat(value)
    except ValueError:
        raise SettingsError(name, value, "a day as YYYY-MM-DD, for instance 2024-01-01") from None
    if not date(1970, 1, 1) <= day <= date.today():
        raise SettingsError(name, value, "a day from 1970-01-01 to today")
    return day


def _host(env: Mapping[str, str], name: str, default: str) -> str:
    value = env.get(name)
    if not value:
        return default
    if not _HOST.match(value):
        raise SettingsError(name, value, "a host name or an address, without scheme and port")
    return value


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name)
    if not value:
        return default
    if not re.fullmatch(r"\d{1,5}", value) or not 1 <= int(value) <= 65535:
        raise SettingsError(name, value, "a port from 1 to 65535")
    return int(value)
