"""What the environment may say, and the one line that refuses the rest."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from bridge_cart_assets.settings import Settings, SettingsError

LATER = (date.today() + timedelta(days=2)).isoformat()


def settings(**environment: str) -> Settings:
    return Settings.from_environment(environment)


def refusal(**environment: str) -> str:
    with pytest.raises(SettingsError) as refused:
        settings(**environment)
    return str(refused.value)


def test_without_variables_everything_has_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = settings()
    assert found == Settings(
        data=tmp_path / "data",
        lake=str(tmp_path / "data" / "lake"),
        start_date=date(2024, 1, 1),
        report_host="127.0.0.1",
        report_port=5010,
        dagster_port=3000,
        storage_options={},
    )
    assert not (tmp_path / "data").exists()


def test_an_empty_variable_is_as_good_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("DATA", "LAKE", "START_DATE", "ENGINE", "REPORT_PORT", "REPORT_HOST", "DAGSTER_PORT")
    assert settings(**{f"BRIDGE_CART_{name}": "" for name in names}) == settings()


def test_every_variable_is_read(tmp_path: Path) -> None:
    found = settings(
        BRIDGE_CART_DATA=str(tmp_path),
        BRIDGE_CART_LAKE=str(tmp_path / "elsewhere"),
        BRIDGE_CART_START_DATE="2010-12-01",
        BRIDGE_CART_ENGINE="local",
        BRIDGE_CART_REPORT_PORT="80",
        BRIDGE_CART_REPORT_HOST="0.0.0.0",  # noqa: S104
        BRIDGE_CART_DAGSTER_PORT="65535",
    )
    assert (found.data, found.lake) == (tmp_path, str(tmp_path / "elsewhere"))
    assert found.start_date == date(2010, 12, 1)
    assert (found.report_host, found.report_port) == ("0.0.0.0", 80)  # noqa: S104
    assert found.dagster_port == 65535


def test_the_environment_of_the_process_is_read_when_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_CART_DATA", str(tmp_path))
    assert Settings.from_environment().data == tmp_path


def test_everything_lies_below_the_data_folder(tmp_path: Path) -> None:
    found = settings(BRIDGE_CART_DATA=str(tmp_path))
    assert found.landing == tmp_path / "landing"
    assert found.catalogue == tmp_path / "bridge_cart.duckdb"
    assert found.dagster_home == tmp_path / "dagster"
    assert found.lake == str(tmp_path / "lake")


def test_a_relative_folder_is_made_absolute_and_a_tilde_is_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert settings(BRIDGE_CART_DATA="shop").data == tmp_path / "shop"
    found = settings(BRIDGE_CART_DATA="~/shop", BRIDGE_CART_LAKE="~/lake")
    assert found.data == tmp_path / "home" / "shop"
    assert found.lake == str(tmp_path / "home" / "lake")


@pytest.mark.parametrize(
    "uri", ["s3://bucket", "s3://bucket/a/b", "s3a://b/c", "gs://bucket/x", "az://container/x"]
)
def test_the_lake_may_be_an_object_store(uri: str) -> None:
    assert settings(BRIDGE_CART_LAKE=f"{uri}/").lake == uri


@pytest.mark.parametrize(
    "address",
    [
        *("local[2]", "local[*]", "local-cluster[2,1,2048]", "spark://one:7077,two:7077"),
        *("k8s://https://host:6443", "sc://host", "sc://host:15002/;token=a;use_ssl=true"),
    ],
)
def test_the_engine_may_be_a_cluster(address: str) -> None:
    assert settings(BRIDGE_CART_ENGINE=address).engine == address
    assert "token" not in repr(settings(BRIDGE_CART_ENGINE=address))


def test_a_token_in_the_address_of_an_engine_is_not_shown() -> None:
    with pytest.raises(SettingsError) as error:
        settings(BRIDGE_CART_ENGINE="sc://host:port/;token=secret")
    assert "secret" not in str(error.value)


def test_the_options_of_an_object_store_are_its_usual_variables() -> None:
    environment = {"AWS_REGION": "eu-west-1", "GOOGLE_X": "y", "AZURE_Z": "z", "PATH": "/bin"}
    there = settings(BRIDGE_CART_LAKE="s3://bucket", **environment)
    assert there.storage_options == {"AWS_REGION": "eu-west-1", "GOOGLE_X": "y", "AZURE_Z": "z"}
    assert settings(**environment).storage_options == {}


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ("START_DATE", "yesterday", "YYYY-MM-DD"),
        ("START_DATE", "2024-1-1", "YYYY-MM-DD"),
        ("START_DATE", "01/02/2024", "YYYY-MM-DD"),
        ("START_DATE", "20240101", "YYYY-MM-DD"),
        ("START_DATE", "2024-02-30", "YYYY-MM-DD"),
        ("START_DATE", "2024-01-01T00:00:00", "YYYY-MM-DD"),
        ("START_DATE", "1969-12-31", "1970-01-01"),
        ("START_DATE", LATER, "today"),
        *(
            (port, value, "a port from 1 to 65535")
            for port in ("REPORT_PORT", "DAGSTER_PORT")
            for value in (
                "0",
                "65536",
                "-1",
                "http",
                "5010.0",
                "123456",
                " 80",
                "0x50",
                "８０",
                "80\n",
            )
        ),
        ("REPORT_HOST", "not a host", "host"),
        ("REPORT_HOST", "http://localhost", "host"),
        ("REPORT_HOST", "127.0.0.1:5010", "host"),
        ("LAKE", "ftp://server/lake", "s3://"),
        ("LAKE", "s3://", "s3://"),
        ("LAKE", "file:///lake", "a folder"),
        *(
            ("ENGINE", value, "local, local[N], local-cluster[")
            for value in (
                *("spark", "LOCAL", "yarn", "local[0]", "local[2,3]", "local-cluster[2]"),
                *("spark://host", "spark://:7077", "spark://host:port", "sc://", "sc:host"),
                *("http://host:7077", "k8s://", "sc://host:15002/path", "local "),
            )
        ),
        ("ENGINE_ROWS", "0", "a whole number from 1"),
        ("ENGINE_ROWS", "many", "a whole number from 1"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_with_variable_value_and_what_is_accepted(
    variable: str, value: str, accepted: str
) -> None:
    says = refusal(**{f"BRIDGE_CART_{variable}": value})
    assert f"BRIDGE_CART_{variable}=" in says
    assert repr(value) in says
    assert accepted in says.partition(repr(value))[2]
    assert "\n" not in says


@pytest.mark.parametrize("variable", ["BRIDGE_CART_DATA", "BRIDGE_CART_LAKE"])
def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, variable: str) -> None:
    (tmp_path / "notes").write_text("x")
    says = refusal(**{variable: str(tmp_path / "notes")})
    assert says.startswith(f"{variable}={str(tmp_path / 'notes')!r}")
    assert "must be a folder" in says
    below = refusal(**{variable: str(tmp_path / "notes" / "deep" / "down")})
    assert "must be a folder" in below


@pytest.mark.parametrize("value", ["s3://bucket/x", "s3:/bucket", "file:///tmp/x", "http:/x"])
def test_an_address_is_no_data_folder(value: str) -> None:
    says = refusal(BRIDGE_CART_DATA=value)
    assert says == f"BRIDGE_CART_DATA={value!r} is not accepted: it must be a folder"


@pytest.mark.parametrize("value", ["s3:/bucket", "file:///tmp/x", "http:/x"])
def test_another_address_is_no_lake(value: str) -> None:
    assert refusal(BRIDGE_CART_LAKE=value).startswith(f"BRIDGE_CART_LAKE={value!r} is not accepted")


@pytest.mark.parametrize(
    "host", ["cafe:8080", "999.1.1.1", "10.0.0", "localhost\n", "::g", "a:b", "1.2.3.4:80"]
)
def test_what_is_neither_name_nor_address_is_no_host(host: str) -> None:
    says = refusal(BRIDGE_CART_REPORT_HOST=host)
    assert "a host name or an address" in says
    assert "\n" not in says


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0", "::1", "shop.example.org", "10.0.0.7"])  # noqa: S104
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    assert settings(BRIDGE_CART_REPORT_HOST=host).report_host == host


def test_a_value_with_a_line_break_is_still_refused_in_one_line() -> None:
    assert "\n" not in refusal(BRIDGE_CART_REPORT_PORT="80\n81")


def test_the_first_day_may_be_today() -> None:
    today = date.today()
    assert settings(BRIDGE_CART_START_DATE=today.isoformat()).start_date == today


def kafka(**named: str) -> dict[str, str]:
    """The variables of Kafka by the second half of their names."""
    servers = {"BRIDGE_CART_KAFKA_BOOTSTRAP_SERVERS": "localhost:9092"}
    return servers | {f"BRIDGE_CART_KAFKA_{name}": value for name, value in named.items()}


LATIN_AND_JAPANESE = {"customers": "latin-1", "purchases": "shift_jis"}
LOGIN = {"SASL_USERNAME": "shop", "SASL_PASSWORD": "open-sesame"}


def test_without_servers_there_is_no_kafka() -> None:
    assert settings().kafka == settings(**kafka(BOOTSTRAP_SERVERS="")).kafka == {}


@pytest.mark.parametrize(
    "servers", ["localhost:9092", "broker-1.example:1,10.0.0.7:65535", "[::1]:9092", "a:1, b_c:2"]
)
def test_brokers_are_hosts_with_ports(servers: str) -> None:
    found = settings(**kafka(BOOTSTRAP_SERVERS=servers))
    assert found.kafka == {"bootstrap.servers": servers}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"SECURITY_PROTOCOL": "Plaintext"}, {"security.protocol": "plaintext"}),
        (
            {"SECURITY_PROTOCOL": "sasl_ssl", **LOGIN},
            {"security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN"}
            | {"sasl.username": "shop", "sasl.password": "open-sesame"},
        ),
        (
            {"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SASL_MECHANISM": "scram-sha-512", **LOGIN},
            {"security.protocol": "sasl_plaintext", "sasl.mechanism": "SCRAM-SHA-512"}
            | {"sasl.username": "shop", "sasl.password": "open-sesame"},
        ),
    ],
)
def test_the_way_to_the_brokers_is_in_librdkafkas_names(
    given: dict[str, str], meant: dict[str, str]
) -> None:
    assert settings(**kafka(**given)).kafka == {"bootstrap.servers": "localhost:9092", **meant}


def test_certificates_are_files_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    given = kafka(SECURITY_PROTOCOL="ssl", SSL_CA_LOCATION=str(file), SSL_KEY_PASSWORD="secret")  # noqa: S106
    assert "a file that is there" in refusal(**given)
    file.touch()
    assert settings(**given).kafka["ssl.ca.location"] == str(file)


@pytest.mark.parametrize(
    ("given", "variable", "value", "accepted"),
    [
        *(
            ({"BOOTSTRAP_SERVERS": servers}, "BOOTSTRAP_SERVERS", servers, "host:port")
            for servers in ("localhost", ",", "a:0", "a:65536", "a:1,b", "http://a:1", "a:1;b:2")
        ),
        ({"SECURITY_PROTOCOL": "tls"}, "SECURITY_PROTOCOL", "tls", "sasl_ssl"),
        (
            {"SECURITY_PROTOCOL": "sasl_ssl", "SASL_MECHANISM": "GSSAPI", **LOGIN},
            *("SASL_MECHANISM", "GSSAPI", "SCRAM-SHA-256"),
        ),
        ({"SECURITY_PROTOCOL": "sasl_ssl"}, "SECURITY_PROTOCOL", "sasl_ssl", "SASL_USERNAME is"),
        (LOGIN, "SECURITY_PROTOCOL", "", "is for sasl_plaintext and sasl_ssl"),
        (
            {"SECURITY_PROTOCOL": "ssl", "SASL_MECHANISM": "PLAIN"},
            *("SECURITY_PROTOCOL", "ssl", "SASL_MECHANISM is for"),
        ),
        (
            {"SECURITY_PROTOCOL": "plaintext", "SSL_KEY_PASSWORD": "open-sesame"},
            *("SECURITY_PROTOCOL", "plaintext", "SSL_KEY_PASSWORD is for ssl and sasl_ssl"),
        ),
        ({"SASL_PASSWORT": "open-sesame"}, "SASL_PASSWORT", "…", "SASL_PASSWORD"),
    ],
)
def test_a_wrong_way_to_the_brokers_is_refused_without_its_passwords(
    given: dict[str, str], variable: str, value: str, accepted: str
) -> None:
    says = refusal(**kafka(**given))
    assert says.startswith(f"BRIDGE_CART_KAFKA_{variable}={value!r} is not accepted: ")
    assert accepted in says.partition("accepted: ")[2]
    assert "\n" not in says
    assert "open-sesame" not in says


def test_what_is_set_for_kafka_needs_servers() -> None:
    says = refusal(BRIDGE_CART_KAFKA_SASL_PASSWORD="open-sesame")  # noqa: S106
    assert says.startswith("BRIDGE_CART_KAFKA_BOOTSTRAP_SERVERS=''")
    assert "it is needed with BRIDGE_CART_KAFKA_SASL_PASSWORD" in says
    assert "open-sesame" not in says


def test_settings_do_not_show_how_to_log_in() -> None:
    found = settings(**kafka(SECURITY_PROTOCOL="sasl_ssl", **LOGIN))
    assert "open-sesame" not in repr(found)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("", {}),
        ("purchases=cp1252", {"purchases": "cp1252"}),
        ("customers = latin-1 , purchases=shift_jis,", LATIN_AND_JAPANESE),
    ],
)
def test_encodings_are_named_by_source(value: str, meant: dict[str, str]) -> None:
    assert settings(BRIDGE_CART_ENCODINGS=value).encodings == meant


@pytest.mark.parametrize(
    "value",
    [
        *("cp1252", "=cp1252", "purchases=", "purchases=cp1253x", "customers=latin-1=cp1252"),
        *("purchases=utf-16", "purchases=cp037", "purchases=undefined", "purchases=base64"),
    ],
)
def test_an_encoding_that_is_none_of_lines_is_refused(value: str) -> None:
    says = refusal(BRIDGE_CART_ENCODINGS=f"customers=latin-1,{value}")
    assert says.startswith(f"BRIDGE_CART_ENCODINGS={value!r} is not accepted: SOURCE=ENCODING")
    assert "\n" not in says


@pytest.mark.parametrize(("value", "rate"), [("", 0.1), ("0", 0.0), ("0.08", 0.08), ("1", 1.0)])
def test_the_discount_rate_is_a_share(value: str, rate: float) -> None:
    assert settings(BRIDGE_CART_DISCOUNT_RATE=value).discount_rate == rate


@pytest.mark.parametrize("value", ["8%", "8", "-0.1", "1.01", "1e-1", "nan", "."])
def test_another_discount_rate_is_refused_in_one_line(value: str) -> None:
    says = refusal(BRIDGE_CART_DISCOUNT_RATE=value)
    assert says.startswith(f"BRIDGE_CART_DISCOUNT_RATE={value!r} is not accepted: a share")


@pytest.mark.parametrize(("value", "runs"), [("", 30), ("1", 1), ("365", 365)])
def test_the_runs_that_are_kept_are_a_number(value: str, runs: int) -> None:
    assert settings(BRIDGE_CART_KEEP_RUNS=value).keep_runs == runs


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "all", "1e3"])
def test_another_number_of_runs_is_refused(value: str) -> None:
    assert "a whole number" in refusal(BRIDGE_CART_KEEP_RUNS=value)


@pytest.mark.parametrize(("value", "code"), [("", ""), ("EUR", "EUR"), ("jpy", "JPY")])
def test_the_currency_is_a_code(value: str, code: str) -> None:
    assert settings(BRIDGE_CART_CURRENCY=value).currency == code


@pytest.mark.parametrize("value", ["€", "kr", "R$", "Euro", "EURO", "ABC", "EUR\n", " EUR", "12"])
def test_what_is_no_code_of_a_currency_is_refused_in_one_line(value: str) -> None:
    says = refusal(BRIDGE_CART_CURRENCY=value)
    assert says == (
        f"BRIDGE_CART_CURRENCY={value!r} is not accepted: a code of ISO 4217, for instance EUR"
    )
    assert "\n" not in says


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("", {}),
        ("purchases=month_first", {"purchases": "month_first"}),
        (
            " purchases = month_first ,customers=day_first,",
            {"purchases": "month_first", "customers": "day_first"},
        ),
    ],
)
def test_the_order_of_day_and_month_is_named_by_source(value: str, meant: dict[str, str]) -> None:
    assert settings(BRIDGE_CART_DATES=value).dates == meant


@pytest.mark.parametrize(
    "value", ["month_first", "purchases", "purchases=", "=day_first", "purchases=us", "a=b=c"]
)
def test_another_order_of_day_and_month_is_refused_in_one_line(value: str) -> None:
    says = refusal(BRIDGE_CART_DATES=f"customers=day_first,{value}")
    assert says.startswith(
        f"BRIDGE_CART_DATES={value!r} is not accepted: SOURCE=day_first or SOURCE=month_first"
    )
    assert "\n" not in says


def test_a_time_zone_is_known_by_its_iana_name() -> None:
    assert settings().timezone == "UTC"
    assert settings(BRIDGE_CART_TIMEZONE="America/New_York").timezone == "America/New_York"
    assert settings(BRIDGE_CART_TIMEZONE="Asia/Kolkata").silver.timezone == "Asia/Kolkata"


@pytest.mark.parametrize(
    ("value", "suggestion"),
    [
        ("Berlin", "is it Europe/Berlin?"),
        ("los angeles", "is it America/Los_Angeles?"),
        ("america/new_york", "is it America/New_York?"),
        ("Europe/Londn", "is it Europe/London?"),
        ("utc", "is it UTC?"),
        ("+05:30", "for instance America/New_York"),
        ("../../etc/passwd", "for instance America/New_York"),
        ("localtime", "for instance America/New_York"),
        ("posix/Europe/Berlin", "is it Europe/Berlin?"),
    ],
)
def test_what_is_no_time_zone_is_refused_with_a_suggestion(value: str, suggestion: str) -> None:
    assert refusal(BRIDGE_CART_TIMEZONE=value) == (
        f"BRIDGE_CART_TIMEZONE={value!r} is not accepted: the IANA name of a time zone"
        f"{'; ' if suggestion.startswith('is it') else ', '}{suggestion}"
    )


@pytest.mark.parametrize(
    ("value", "key"), [(None, True), ("", True), ("email", True), ("off", False)]
)
def test_addresses_make_one_customer_unless_it_is_off(value: str | None, key: bool) -> None:
    given = {} if value is None else {"BRIDGE_CART_IDENTITY": value}
    assert (settings(**given).silver.identity_key is not None) == key


def test_another_word_for_the_identity_is_refused() -> None:
    says = refusal(BRIDGE_CART_IDENTITY="phone")
    assert says == "BRIDGE_CART_IDENTITY='phone' is not accepted: email or off"


def test_alerts_go_nowhere_without_a_channel() -> None:
    assert not settings().messages.has_alerts
    assert settings(BRIDGE_CART_ALERT_WEBHOOK="https://h.example/x").messages.form == "json"


def test_a_mail_server_is_an_address_without_a_login() -> None:
    given = {"BRIDGE_CART_ALERT_MAIL": "a@b.example, c@d.example"}
    mail = settings(BRIDGE_CART_SMTP="smtps://[::1]:465", **given).messages.mail
    assert mail is not None
    assert (mail.host, mail.port, mail.is_tls) == ("::1", 465, True)
    assert mail.sender == "a@b.example"
    login = {"BRIDGE_CART_SMTP_USER": "u", "BRIDGE_CART_SMTP_PASSWORD": "hunter2"}
    found = settings(BRIDGE_CART_SMTP="smtp://m:25", **given, **login)
    assert found.messages.mail is not None
    assert found.messages.mail.password == login["BRIDGE_CART_SMTP_PASSWORD"]
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"BRIDGE_CART_ALERT_WEBHOOK": "hooks.example/T0KEN"}, "BRIDGE_CART_ALERT_WEBHOOK='…'"),
        ({"BRIDGE_CART_ALERT_WEBHOOK": "https://u:T0KEN@h/"}, "BRIDGE_CART_ALERT_WEBHOOK='…'"),
        ({"BRIDGE_CART_ALERT_FORM": "discord"}, "json or slack or teams"),
        ({"BRIDGE_CART_ALERT_MAIL": "a@b.example"}, "BRIDGE_CART_SMTP=''"),
        ({"BRIDGE_CART_SMTP": "smtp://m:25"}, "BRIDGE_CART_ALERT_MAIL=''"),
        ({"BRIDGE_CART_SMTP": "smtp://u:T0KEN@m:25"}, "BRIDGE_CART_SMTP='…'"),
        ({"BRIDGE_CART_SMTP": "m:25", "BRIDGE_CART_ALERT_MAIL": "a@b.example"}, "smtp://HOST:PORT"),
        (
            {
                "BRIDGE_CART_SMTP": "smtp://m:25",
                "BRIDGE_CART_ALERT_MAIL": "a@b.example",
                "BRIDGE_CART_SMTP_USER": "u",
            },
            "BRIDGE_CART_SMTP_PASSWORD=''",
        ),
        (
            {"BRIDGE_CART_SMTP": "smtp://m:25", "BRIDGE_CART_ALERT_MAIL": "A <a@b.example>"},
            "mail addresses",
        ),
    ],
)
def test_a_channel_that_cannot_work_is_refused_without_its_secret(
    given: dict[str, str], words: str
) -> None:
    refused = refusal(**given)
    assert words in refused
    assert "T0KEN" not in refused
