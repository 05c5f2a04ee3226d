"""What the environment decides, read once into one frozen object.

Belongs here: names, defaults and accepted values of the environment variables, and the paths
that follow from them. Does not belong here: anything that touches the disk or the network.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from bridge_cart_assets.object_store import ObjectStore, is_uri, object_store

_URI = re.compile(r"^(s3|s3a|gs|az|abfs|abfss)://[^/]+")
# Of an Azure address the container stands before the @.
_WITH_LOGIN = re.compile(r"(?i)^(s3|s3a|gs|az)://[^/]*@|^\w+://([^/]*:[^/]*@|.*[?])")
_STORES = ("AWS_", "GOOGLE_", "AZURE_")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_ADDRESS = re.compile(r"[0-9.]+|.*:.*", re.DOTALL)
# One letter before the colon is a drive.
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:/")
_KAFKA = "BRIDGE_CART_KAFKA_"
_BOOTSTRAP = f"{_KAFKA}BOOTSTRAP_SERVERS"
_SERVER = re.compile(r"^([A-Za-z0-9][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$")
_TIMEZONE = "BRIDGE_CART_TIMEZONE"
# What else lies in a system's folder of zones.
_NO_ZONES = {"Factory", "localtime"}
_ORDERS = ("day_first", "month_first")
_IDENTITY = "BRIDGE_CART_IDENTITY"
_IDENTITIES = ("email", "off")
_ENGINE = "BRIDGE_CART_ENGINE"
_SERVERS = r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])"
_ENGINES = re.compile(
    rf"local|local\[(?:[1-9]\d*|\*)\]|local-cluster\[[1-9]\d*,[1-9]\d*,[1-9]\d*\]"
    rf"|spark://{_SERVERS}:\d{{1,5}}(?:,{_SERVERS}:\d{{1,5}})*"
    rf"|k8s://(?:https?://)?{_SERVERS}(?::\d{{1,5}})?"
    rf"|sc://{_SERVERS}(?::\d{{1,5}})?(?:/(?:;[^;=]+=[^;]*)*)?"
)
_SMTP = "BRIDGE_CART_SMTP"
_ALERT_MAIL = "BRIDGE_CART_ALERT_MAIL"
_SMTP_SERVER = re.compile(
    r"(?P<scheme>smtps?)://(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})"
)
_MAIL_ADDRESS = re.compile(r"[^\s@,<>]+@[^\s@,<>]+")
_WEBHOOK = re.compile(r"https?://[^\s/@]+(/\S*)?")
_ALERT_FORMS = ("json", "slack", "teams")
_PROTOCOLS = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_KAFKA_FILES = ("SSL_CA_LOCATION", "SSL_CERTIFICATE_LOCATION", "SSL_KEY_LOCATION")
_KAFKA_LOGIN = ("SASL_USERNAME", "SASL_PASSWORD")
_KAFKA_NAMES = (
    *("BOOTSTRAP_SERVERS", "SECURITY_PROTOCOL", "SASL_MECHANISM", "SSL_KEY_PASSWORD"),
    *(*_KAFKA_LOGIN, *_KAFKA_FILES),
)


class SettingsError(ValueError):
    """A variable of the environment has a value that is not accepted."""

    def __init__(self, variable: str, value: str, accepted: str) -> None:
        super().__init__(f"{variable}={value!r} is not accepted: {accepted}")


@dataclass(frozen=True)
class SilverSettings:
    """The settings that the rows of silver depend on: a lake remembers those it was made with.

    Attributes:
        timezone: the shop's time zone by its IANA name. Days are local ones, and so is a time that
            names no zone.
        identity_key: the file with the key of the addresses' hashes, when accounts and guests with
            one e-mail address are one customer; None when each customer_id is one as received.
    """

    timezone: str = "UTC"
    identity_key: Path | None = None

    @property
    def by_variable(self) -> dict[str, str]:
        """The values by the variables that set them."""
        identity = "off" if self.identity_key is None else "email"
        return {_TIMEZONE: self.timezone, _IDENTITY: identity}


@dataclass(frozen=True)
class MailServer:
    """The server that takes mail.

    Attributes:
        host, port: where it listens.
        is_tls: whether the connection is encrypted from its first byte (smtps).
        sender: the address that mail comes from.
        user, password: the login; both empty without one.
    """

    host: str
    port: int
    is_tls: bool
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class MessageSettings:
    """Whom to reach when something is wrong, and every week.

    Attributes:
        webhook: an address of http or https; it is a secret. Empty without one.
        form: what the webhook reads: json, slack or teams.
        mail: the server of mail; None without.
        alert_receivers: the addresses that mails about problems go to.
        report_receivers: the addresses that the weekly report goes to.
        shop: names this lakehouse in messages; empty without a name.
    """

    webhook: str = field(default="", repr=False)
    form: str = "json"
    mail: MailServer | None = None
    alert_receivers: tuple[str, ...] = ()
    report_receivers: tuple[str, ...] = ()
    shop: str = ""

    @property
    def has_alerts(self) -> bool:
        """Whether alerts have a receiver."""
        return bool(self.webhook or self.alert_receivers)


@dataclass(frozen=True)
class Settings:
    """Where things lie and how they are served.

    Attributes:
        data: working folder; holds `landing/`, the DuckDB catalogue and Dagster's own files.
        lake: root of the Delta tables, a folder or an object-store URI.
        start_date: first batch day of the daily partitions.
        report_host, report_port: where the report page listens.
        dagster_port: where `make dev` serves the Dagster UI.
        dagster_hosts: names under which the Dagster UI is asked for, besides the loopback ones.
        landing_at: where files land when it is not `landing/` in the data folder: a folder or an
            object-store URI.
        storage_options: the object store's usual variables, when the lake or landing is in one.
        kafka: how to reach the brokers, in librdkafka's names; empty when there are none.
        discount_rate: how much less money is worth in a year, as a share.
        currency: the shop's currency, a code of ISO 4217; empty when it was not set.
        encodings: how lines of a source's files that are not UTF-8 are read, by source.
        dates: day_first or month_first where a source's file leaves it open, by source.
        timezone: the shop's time zone by its IANA name.
        identity: email when accounts and guests with one e-mail address are one customer, else off.
        sql_memory: what a question of `bridge-cart sql` may take of the memory, in DuckDB's words.
        keep_runs: of how many runs Dagster keeps the whole history.
        engine: where records are cleaned and folded and gold is built: local, or the address of a
            cluster. It may hold a token.
        engine_rows: work on fewer rows is done in this process whatever the engine.
        messages: whom to reach when something is wrong, and every week.
    """

    data: Path = Path("data")
    lake: str = "data/lake"
    start_date: date = date(2024, 1, 1)
    report_host: str = "127.0.0.1"
    report_port: int = 5010
    dagster_port: int = 3000
    dagster_hosts: tuple[str, ...] = ()
    discount_rate: float = 0.10
    currency: str = ""
    landing_at: str = ""
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    kafka: Mapping[str, str] = field(default_factory=dict, repr=False)
    encodings: Mapping[str, str] = field(default_factory=dict)
    dates: Mapping[str, str] = field(default_factory=dict)
    timezone: str = SilverSettings.timezone
    identity: str = "email"
    keep_runs: int = 30
    engine: str = field(default="local", repr=False)
    engine_rows: int = 1
    sql_memory: str = "2GB"
    messages: MessageSettings = MessageSettings()

    @property
    def silver(self) -> SilverSettings:
        """Those that the rows of silver depend on."""
        key = None if self.identity == "off" else self.hash_key
        return SilverSettings(timezone=self.timezone, identity_key=key)

    @property
    def hash_key(self) -> Path:
        """The file with the key of all keyed hashes: of addresses, and of erased persons' names."""
        return self.data / "identity.key"

    @property
    def landing(self) -> Path:
        """The folder into which sources drop their files, one folder per source.

        Raises:
            ValueError: files land in an object store.
        """
        if is_uri(self.landing_at):
            raise ValueError(f"files land in {self.landing_at}, which is no folder")
        return Path(self.landing_at) if self.landing_at else self.data / "landing"

    @property
    def landing_zone(self) -> Path | ObjectStore:
        """Where sources drop their files: a folder, or a place in an object store."""
        if is_uri(self.landing_at):
            return object_store(self.landing_at, self.storage_options)
        return self.landing

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
        data = _folder(
            "BRIDGE_CART_DATA", env.get("BRIDGE_CART_DATA") or "data", "it must be a folder"
        )
        lake = _place(env, "BRIDGE_CART_LAKE") or str(data / "lake")
        landing = _place(env, "BRIDGE_CART_LANDING")
        return cls(
            data=data,
            lake=lake,
            landing_at=landing,
            storage_options=_storage_options(env) if is_uri(lake) or is_uri(landing) else {},
            start_date=_day(env, "BRIDGE_CART_START_DATE", cls.start_date),
            report_host=_host(env, "BRIDGE_CART_REPORT_HOST", cls.report_host),
            report_port=_port(env, "BRIDGE_CART_REPORT_PORT", cls.report_port),
            dagster_port=_port(env, "BRIDGE_CART_DAGSTER_PORT", cls.dagster_port),
            dagster_hosts=_hosts(env, "BRIDGE_CART_DAGSTER_HOSTS"),
            discount_rate=_share(env, "BRIDGE_CART_DISCOUNT_RATE", cls.discount_rate),
            currency=_currency(env, "BRIDGE_CART_CURRENCY"),
            kafka=_kafka(env),
            encodings=_encodings(env.get("BRIDGE_CART_ENCODINGS")),
            dates=_dates(env.get("BRIDGE_CART_DATES")),
            timezone=_timezone(env, _TIMEZONE, cls.timezone),
            identity=_choice(env, _IDENTITY, _IDENTITIES),
            keep_runs=_count(env, "BRIDGE_CART_KEEP_RUNS", cls.keep_runs),
            engine=_engine(env),
            engine_rows=_count(env, "BRIDGE_CART_ENGINE_ROWS", cls.engine_rows, 10**12),
            sql_memory=_memory(env, "BRIDGE_CART_SQL_MEMORY", cls.sql_memory),
            messages=_messages(env),
        )


def _place(env: Mapping[str, str], name: str) -> str:
    """A folder or an address in an object store; empty when it is not set."""
    value = env.get(name)
    if not value:
        return ""
    if _WITH_LOGIN.match(value):
        # What stands in it may be a secret.
        raise SettingsError(name, "…", "credentials and options come from AWS_* variables")
    if _URI.match(value):
        return value.rstrip("/")
    accepted = "it must be a folder, or a URI that begins with s3://, gs:// or az://"
    return str(_folder(name, value, accepted))


def _folder(name: str, value: str, accepted: str) -> Path:
    """A folder that is there or can be made."""
    folder = Path(value).expanduser().absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if _SCHEME.match(value) or not there.is_dir():
        raise SettingsError(name, value, accepted)
    return folder


def _storage_options(env: Mapping[str, str]) -> dict[str, str]:
    named = {name: value for name, value in env.items() if name.startswith(_STORES) and value}
    # Polars refuses a profile beside other options, and the others do not read one.
    return {name: value for name, value in named.items() if name != "AWS_PROFILE"}


def _day(env: Mapping[str, str], name: str, default: date) -> date:
    value = env.get(name)
    if not value:
        return default
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
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
    if not _is_host(value):
        raise SettingsError(name, value, "a host name or an address, without scheme and port")
    return value


def _hosts(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in (env.get(name) or "").split(",") if host.strip())
    for host in hosts:
        if not _is_host(host):
            raise SettingsError(name, host, "host names or addresses, with commas, without ports")
    return hosts


def _is_host(text: str) -> bool:
    """Whether it is a name, or else an address of IPv4 or IPv6."""
    if not _ADDRESS.fullmatch(text):
        return bool(_HOST.fullmatch(text))
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name)
    if not value:
        return default
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= 65535:
        raise SettingsError(name, value, "a port from 1 to 65535")
    return int(value)


def _share(env: Mapping[str, str], name: str, default: float) -> float:
    value = env.get(name)
    if not value:
        return default
    if not re.fullmatch(r"(0|1)(\.[0-9]*)?|\.[0-9]+", value) or not 0 <= float(value) <= 1:
        raise SettingsError(name, value, "a share from 0 to 1, for instance 0.10 for 10 % a year")
    return float(value)


def _count(env: Mapping[str, str], name: str, default: int, most: int = 999_999) -> int:
    value = env.get(name)
    if not value:
        return default
    if not re.fullmatch(r"[0-9]{1,12}", value) or not 1 <= int(value) <= most:
        raise SettingsError(name, value, f"a whole number from 1 to {most}")
    return int(value)


def _engine(env: Mapping[str, str]) -> str:
    value = env.get(_ENGINE) or "local"
    if not _ENGINES.fullmatch(value):
        raise SettingsError(
            _ENGINE,
            # What follows may be a token.
            value.partition(";")[0],
            "local, local[N], local-cluster[EXECUTORS,CORES,MEGABYTES], spark://HOST:PORT, "
            "k8s://HOST:PORT or sc://HOST:PORT",
        )
    return value


def _memory(env: Mapping[str, str], name: str, default: str) -> str:
    value = env.get(name)
    if not value:
        return default
    if not re.fullmatch(r"[1-9][0-9]{0,6}(MB|GB)", value):
        raise SettingsError(name, value, "a size as 512MB or 2GB")
    return value


def _messages(env: Mapping[str, str]) -> MessageSettings:
    webhook = env.get("BRIDGE_CART_ALERT_WEBHOOK") or ""
    if webhook and not _WEBHOOK.fullmatch(webhook):
        # What stands in it is a secret.
        raise SettingsError("BRIDGE_CART_ALERT_WEBHOOK", "…", "an address of https:// or http://")
    alert_receivers = _addresses(env, _ALERT_MAIL)
    report_receivers = _addresses(env, "BRIDGE_CART_REPORT_MAIL")
    return MessageSettings(
        webhook=webhook,
        form=_choice(env, "BRIDGE_CART_ALERT_FORM", _ALERT_FORMS),
        mail=_mail_server(env, alert_receivers or report_receivers),
        alert_receivers=alert_receivers,
        report_receivers=report_receivers,
        shop=env.get("BRIDGE_CART_SHOP") or "",
    )


def _mail_server(env: Mapping[str, str], receivers: tuple[str, ...]) -> MailServer | None:
    server = env.get(_SMTP) or ""
    if not receivers and not server:
        return None
    match = _SMTP_SERVER.fullmatch(server)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        # A login in it would be a secret.
        shown = "…" if "@" in server else server
        raise SettingsError(_SMTP, shown, "smtp://HOST:PORT, or smtps://HOST:PORT with TLS")
    if not receivers:
        raise SettingsError(
            _ALERT_MAIL, "", f"it or BRIDGE_CART_REPORT_MAIL is needed with {_SMTP}"
        )
    sender = _addresses(env, "BRIDGE_CART_MAIL_FROM") or receivers[:1]
    user, password = (env.get(f"{_SMTP}_{name}") or "" for name in ("USER", "PASSWORD"))
    if bool(user) != bool(password):
        name = f"{_SMTP}_{'PASSWORD' if user else 'USER'}"
        raise SettingsError(name, "", "user and password go together")
    return MailServer(
        host=match["host"].strip("[]"),
        port=int(match["port"]),
        is_tls=match["scheme"] == "smtps",
        sender=sender[0],
        user=user,
        password=password,
    )


def _addresses(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    given = tuple(part.strip() for part in (env.get(name) or "").split(",") if part.strip())
    for address in given:
        if not _MAIL_ADDRESS.fullmatch(address):
            raise SettingsError(name, address, "mail addresses, several of them with commas")
    return given


def _choice(env: Mapping[str, str], name: str, accepted: tuple[str, ...]) -> str:
    """One of some words; the first of them without a value."""
    value = env.get(name) or accepted[0]
    if value not in accepted:
        raise SettingsError(name, value, " or ".join(accepted))
    return value


def _currency(env: Mapping[str, str], name: str) -> str:
    value = env.get(name)
    if not value:
        return ""
    from babel.numbers import is_currency

    if not is_currency(value.upper()):
        raise SettingsError(name, value, "a code of ISO 4217, for instance EUR")
    return value.upper()


def _timezone(env: Mapping[str, str], name: str, default: str) -> str:
    """A zone that Python and Polars know, each by a list of its own."""
    value = env.get(name) or default
    if value == default:
        return value
    from zoneinfo import available_timezones

    known = available_timezones() - _NO_ZONES
    if value not in known or not _polars_knows(value):
        alike = _zones_alike(value, known)
        example = f"; is it {' or '.join(alike)}?" if alike else ", for instance America/New_York"
        raise SettingsError(name, value, f"the IANA name of a time zone{example}")
    return value


def _polars_knows(zone: str) -> bool:
    import polars as pl

    try:
        pl.Series([], dtype=pl.Datetime("us", zone)).dt.date()
    except pl.exceptions.ComputeError:
        return False
    return True


def _zones_alike(value: str, known: Iterable[str]) -> list[str]:
    """Up to three names of zones: those whose city or whole name is nearly the value."""
    from difflib import get_close_matches

    wanted = value.strip().lower().replace(" ", "_")
    spelt = {zone.lower(): zone for zone in sorted(known)}
    if wanted in spelt:
        return [spelt[wanted]]
    by_city = {zone.rpartition("/")[2]: zone for zone in spelt}
    cities = get_close_matches(wanted.rpartition("/")[2], by_city, n=1, cutoff=0.8)
    names = [by_city[city] for city in cities] or get_close_matches(wanted, spelt, n=2, cutoff=0.8)
    return [spelt[name] for name in names]


def _kafka(env: Mapping[str, str]) -> dict[str, str]:
    """The settings of the brokers: BRIDGE_CART_KAFKA_SASL_USERNAME is sasl.username, and so on."""
    given = {name.removeprefix(_KAFKA): v for name, v in env.items() if name.startswith(_KAFKA)}
    given = {name: value for name, value in given.items() if value}
    for name in given.keys() - set(_KAFKA_NAMES):
        # Its value may be a secret that was meant for another name.
        raise SettingsError(f"{_KAFKA}{name}", "…", f"there are {', '.join(_KAFKA_NAMES)}")
    servers = given.get("BOOTSTRAP_SERVERS")
    if servers is None:
        for name in given:
            raise SettingsError(_BOOTSTRAP, "", f"it is needed with {_KAFKA}{name}")
        return {}
    if not all(_is_server(server) for server in servers.split(",")):
        raise SettingsError(_BOOTSTRAP, servers, "host:port, several of them with commas")
    protocol = _one_of(given, "SECURITY_PROTOCOL", _PROTOCOLS, str.lower)
    _one_of(given, "SASL_MECHANISM", _MECHANISMS, str.upper)
    wants_login = (protocol or "").startswith("sasl")
    for name in (*_KAFKA_LOGIN, "SASL_MECHANISM"):
        if wants_login != (name in given) and not (wants_login and name == "SASL_MECHANISM"):
            need = "is needed" if wants_login else "is for sasl_plaintext and sasl_ssl"
            raise SettingsError(
                f"{_KAFKA}SECURITY_PROTOCOL", protocol or "", f"{_KAFKA}{name} {need}"
            )
    for name in (*_KAFKA_FILES, "SSL_KEY_PASSWORD"):
        if name in given and not (protocol or "").endswith("ssl"):
            raise SettingsError(
                f"{_KAFKA}SECURITY_PROTOCOL",
                protocol or "",
                f"{_KAFKA}{name} is for ssl and sasl_ssl",
            )
        if name in _KAFKA_FILES and name in given and not Path(given[name]).exists():
            raise SettingsError(f"{_KAFKA}{name}", given[name], "a file that is there")
    if wants_login:
        given.setdefault("SASL_MECHANISM", "PLAIN")
    return {name.lower().replace("_", "."): value for name, value in given.items()}


def _is_server(text: str) -> bool:
    match = _SERVER.match(text.strip())
    return bool(match) and 1 <= int(match[2]) <= 65535  # type: ignore[index]


def _one_of(
    given: dict[str, str], name: str, accepted: tuple[str, ...], spelt: Callable[[str], str]
) -> str | None:
    """The value in the accepted spelling, which takes its place; None when it is not given."""
    if name not in given:
        return None
    if spelt(given[name]) not in accepted:
        raise SettingsError(f"{_KAFKA}{name}", given[name], f"one of {', '.join(accepted)}")
    given[name] = spelt(given[name])
    return given[name]


def _encodings(value: str | None) -> dict[str, str]:
    """`purchases=cp1252,customers=latin-1` as a mapping."""
    return _by_source(
        "BRIDGE_CART_ENCODINGS",
        value,
        _cuts_lines,
        "SOURCE=ENCODING, for instance purchases=cp1252",
    )


def _cuts_lines(encoding: str) -> bool:
    """Whether its line break is one byte, as lines are cut; encodings of wider units are not."""
    try:
        return "\n".encode(encoding) == b"\n"
    except (LookupError, ValueError):
        return False


def _dates(value: str | None) -> dict[str, str]:
    """`purchases=month_first,shopify_orders=day_first` as a mapping."""
    accepted = "SOURCE=day_first or SOURCE=month_first, for instance purchases=month_first"
    return _by_source("BRIDGE_CART_DATES", value, _ORDERS.__contains__, accepted)


def _by_source(
    name: str, value: str | None, is_accepted: Callable[[str], bool], accepted: str
) -> dict[str, str]:
    """`SOURCE=VALUE,SOURCE=VALUE` as a mapping."""
    found = {}
    for pair in filter(None, (value or "").split(",")):
        source, _, meant = (part.strip() for part in pair.partition("="))
        if not source or not is_accepted(meant):
            raise SettingsError(name, pair, accepted)
        found[source] = meant
    return found
