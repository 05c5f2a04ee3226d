"""The deployment files against themselves and against Dagster; needs no container engine."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster._core.workspace.load import location_origins_from_yaml_paths

from bridge_cart_assets.settings import Settings, SettingsError

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|ACCESS_KEY|_USER$")
REQUIRED = re.compile(r"\$\{\w+:\?[^}]+\}")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("code", "webserver", "daemon", "report", "shop")
THEIRS = ("postgres", "kafka", "minio", "bucket")
# Those that end once they have done their work.
ONCE = ("shop", "bucket")
PINNED = re.compile(r"[\w./-]+:[\w.-]*\d[\w.-]*")
INSTANCE = {
    "POSTGRES_HOST": "127.0.0.1",
    "POSTGRES_PORT": "1",
    "POSTGRES_DB": "dagster",
    "POSTGRES_USER": "somebody",
    "POSTGRES_PASSWORD": "unused",
}


def environments() -> Iterator[tuple[str, str, str | None]]:
    for service, described in SERVICES.items():
        for name, value in described.get("environment", {}).items():
            yield service, name, None if value is None else str(value)


def named_in(value: object) -> set[str]:
    """The variables that `env:` names anywhere in a Dagster configuration."""
    if isinstance(value, Mapping):
        own = {value["env"]} if set(value) == {"env"} else set()
        return own.union(*(named_in(v) for v in value.values()))
    return set()


def test_the_whole_comes_up_without_a_profile() -> None:
    assert set(SERVICES) == {*OURS, *THEIRS}
    profiles = {name: s["profiles"] for name, s in SERVICES.items() if "profiles" in s}
    assert profiles == {"shop": ["demo"], "minio": ["minio"], "bucket": ["minio"]}
    for name in set(SERVICES) - set(profiles):
        for other, how in SERVICES[name].get("depends_on", {}).items():
            # What has a profile may not be there.
            assert other not in profiles or how["required"] is False


def test_versions_of_images_are_pinned() -> None:
    for name in THEIRS:
        assert PINNED.fullmatch(SERVICES[name]["image"]), name
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert all(re.fullmatch(r"python:\d+\.\d+\.\d+-[\w-]+", base) for base in bases), bases


def test_no_container_has_root_or_writes_its_own_files_or_keeps_a_capability() -> None:
    owner = re.compile(r"\$\{BRIDGE_CART_UID:\?.*\}:\$\{BRIDGE_CART_GID:\?.*\}")
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service
        assert owner.fullmatch(service["user"]) or service["user"] in ("postgres", "appuser"), name
        assert "/tmp" in service["tmpfs"], name  # noqa: S108


def test_every_variable_of_the_settings_is_handed_on_to_what_does_the_work() -> None:
    text = (ROOT / "bridge_cart_assets" / "settings.py").read_text()
    names = {name.rstrip("_") for name in re.findall(r'"(BRIDGE_CART_[A-Z_]+)"', text)}
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"BRIDGE_CART_KAFKA_NONE": "x"})
    known = str(refused.value).partition("there are ")[2].split(", ")
    names |= {f"BRIDGE_CART_KAFKA_{name}" for name in known}
    assert "BRIDGE_CART_KAFKA_SASL_PASSWORD" in names
    # What the image and the commands set, and what is only the prefix of others.
    elsewhere = {"BRIDGE_CART_DATA", "BRIDGE_CART_KAFKA", "BRIDGE_CART_DAGSTER_PORT"}
    elsewhere |= {"BRIDGE_CART_REPORT_HOST", "BRIDGE_CART_REPORT_PORT"}
    assert {"BRIDGE_CART_LAKE", "BRIDGE_CART_TIMEZONE", "BRIDGE_CART_IDENTITY"} < names
    for service in ("code", "shop"):
        missing = names - elsewhere - set(SERVICES[service]["environment"])
        assert not missing, (service, missing)


def test_the_object_store_does_not_start_with_credentials_that_everybody_knows() -> None:
    """Without any MinIO takes its own; `:?` ends the shell instead."""
    (script,) = SERVICES["minio"]["command"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert f"$${{{name}:?" in script
        done = subprocess.run(
            ["/bin/sh", "-c", script.replace("$$", "$")],
            env={"PATH": "/nowhere", "AWS_ACCESS_KEY_ID": "a"},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode != 0
        assert "AWS_SECRET_ACCESS_KEY: set it in .env" in done.stderr


def test_no_credential_has_a_default() -> None:
    secrets = [(s, n, v) for s, n, v in environments() if SECRET.search(n)]
    assert {n for _, n, _ in secrets} >= {"POSTGRES_USER", "POSTGRES_PASSWORD"}
    for service, name, value in secrets:
        # Without a value the variable is handed on when it is set, and is absent otherwise.
        assert value is None or REQUIRED.fullmatch(value), f"{service}: {name}"


def test_the_report_page_gets_no_credentials_and_cannot_write() -> None:
    shown = {"BRIDGE_CART_CURRENCY", "BRIDGE_CART_DAGSTER_PORT"}
    assert set(SERVICES["report"]["environment"]) == shown
    assert SERVICES["report"]["volumes"] == ["./data:/data:ro"]


def test_every_published_port_is_bound_to_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2, "Kafka, Postgres and MinIO are for the other containers"
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_our_services_share_one_image_that_one_of_them_builds() -> None:
    assert {SERVICES[name]["image"] for name in OURS} == {"bridge-cart:local"}
    assert [name for name in OURS if "build" in SERVICES[name]] == ["code"]
    for name in set(OURS) - {"code"}:
        assert SERVICES[name]["pull_policy"] == "never"
        assert "code" in SERVICES[name]["depends_on"]


def test_every_service_has_a_health_check_and_starts_again() -> None:
    for name, service in SERVICES.items():
        if name in ONCE:
            assert service["restart"] == "on-failure"
        else:
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped"


def test_health_checks_in_python_compile() -> None:
    tests = [SERVICES[name]["healthcheck"]["test"] for name in set(OURS) - set(ONCE)]
    scripts = [test[3] for test in tests if "-c" in test]
    assert len(scripts) == 2
    for script in scripts:
        compile(script, "healthcheck", "exec")


def test_each_service_that_opens_the_instance_waits_for_postgres() -> None:
    for name in ("code", "webserver", "daemon"):
        assert SERVICES[name]["depends_on"]["postgres"] == {"condition": "service_healthy"}
        assert "./data:/data" in SERVICES[name]["volumes"]


def test_the_code_server_listens_where_the_workspace_looks_for_it() -> None:
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())
    (location,) = workspace["load_from"]
    command = SERVICES[location["grpc_server"]["host"]]["command"]
    assert f"--port={location['grpc_server']['port']}" in command
    assert f"--location-name={location['grpc_server']['location_name']}" in command
    assert "--module-name=bridge_cart_assets.definitions" in command


def test_the_example_names_every_variable_and_gives_none_a_value() -> None:
    used = set(VARIABLE.findall((ROOT / "docker-compose.yml").read_text()))
    handed_on = {name for _, name, value in environments() if value is None}
    lines = (DEPLOY / "env.example").read_text().splitlines()
    named = {m[1]: m[2] for line in lines if (m := re.fullmatch(r"(?:# )?([A-Z_]+)=(.*)", line))}
    assert set(named) == used | handed_on
    assert not any(named.values())


def test_dagster_accepts_the_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (INSTANCE | {"DAGSTER_STORAGE": str(tmp_path / "storage")}).items():
        monkeypatch.setenv(name, value)
    config, _ = dagster_instance_config(str(DEPLOY))
    assert config["telemetry"] == {"enabled": False}
    assert config["nux"] == {"enabled": False}
    assert config["run_retries"]["max_retries"] == 2
    assert config["run_monitoring"]["enabled"] is True
    assert "pools" not in config["concurrency"], "a killed process would keep its slot"

    ref = InstanceRef.from_dir(str(DEPLOY))
    assert ref.storage_data is not None
    assert ref.storage_data.class_name == "PooledPostgresStorage"
    assert "postgresql+psycopg2" in ref.storage_data.config_yaml
    # The launcher and the queue are made; nothing connects to Postgres.
    assert type(ref.run_launcher).__name__ == "LivenessRunLauncher"
    assert type(ref.run_coordinator).__name__ == "QueuedRunCoordinator"
    assert ref.compute_log_manager is not None
    assert ref.local_artifact_storage.base_dir == str(tmp_path / "storage")


def test_every_variable_of_the_instance_is_set_for_each_service_that_opens_it() -> None:
    wanted = named_in(yaml.safe_load((DEPLOY / "dagster.yaml").read_text()))
    image = set(re.findall(r"^\s+(?:ENV )?([A-Z_]+)=", (ROOT / "Dockerfile").read_text(), re.M))
    assert wanted == {*INSTANCE, "DAGSTER_STORAGE"}
    for name in ("code", "webserver", "daemon"):
        assert wanted <= image | set(SERVICES[name]["environment"])


@pytest.mark.parametrize("path", [ROOT / "workspace.yaml", DEPLOY / "workspace.yaml"])
def test_dagster_accepts_the_workspaces(path: Path) -> None:
    origins = location_origins_from_yaml_paths([str(path)])
    assert [origin.location_name for origin in origins] == ["bridge_cart"]


def test_the_image_installs_the_lock_with_hashes_and_the_package_without_looking_further() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = [" ".join(line.split()) for line in text.splitlines() if "pip install" in line]
    assert len(installs) == 2
    lock, package = installs
    assert {"--require-hashes", "--no-compile", "requirements.lock"} <= set(lock.split())
    assert {"--no-deps", "--no-build-isolation"} <= set(package.split())
    assert all("compileall" in line for line in installs)


def test_the_image_runs_as_an_ordinary_user_and_holds_no_secrets() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")][-1] == "USER 1000:1000"
    assert not any(SECRET.search(line) for line in lines)


def test_only_what_the_image_needs_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    copied = re.findall(r"^COPY (?!--from)(.*)$", (ROOT / "Dockerfile").read_text(), re.M)
    sources = {w for line in copied for w in line.split()[:-1] if not w.startswith("--")}
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    assert {source.split("/")[0] for source in sources} == sent
