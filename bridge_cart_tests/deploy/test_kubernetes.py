"""The values for Dagster's chart and the manifests beside them; needs no cluster."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema
import pytest
import yaml

from bridge_cart_tests.deploy.dagster_chart import VALUES
from bridge_cart_tests.deploy.test_compose import DEPLOY, ROOT, SECRET, named_in

FOLDER = DEPLOY / "kubernetes"
CHART: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text())
MANIFESTS: list[dict[str, Any]] = list(
    yaml.safe_load_all((FOLDER / "bridge-cart.yaml").read_text())
)
(CODE,) = CHART["dagster-user-deployments"]["deployments"]
PODS: dict[str, dict[str, Any]] = {
    "webserver": CHART["dagsterWebserver"],
    "daemon": CHART["dagsterDaemon"],
    "code": CODE,
}
(REPORT,) = (m for m in MANIFESTS if m["kind"] == "Deployment")
POD = REPORT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
(SPARK,) = (m["data"]["spark-defaults.conf"] for m in MANIFESTS if m["kind"] == "ConfigMap")


def variables(pod: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for variable in pod["env"]:
        yield variable["name"], variable


def test_the_chart_accepts_the_values() -> None:
    jsonschema.Draft202012Validator.check_schema(VALUES)
    jsonschema.validate(CHART, VALUES)


def test_the_version_of_the_chart_is_that_of_the_locked_dagster() -> None:
    (locked,) = re.findall(r"^dagster==(\S+)", (ROOT / "requirements.lock").read_text(), re.M)
    for file in (FOLDER / "values.yaml", ROOT / "docs" / "deployment.md"):
        assert set(re.findall(r"--version (\S+)", file.read_text())) == {locked}, file.name


@pytest.mark.parametrize(
    "mistake",
    [
        lambda v: v["dagsterWebserver"].update(replicas=2),
        lambda v: v["dagsterDaemon"]["image"].update(pullPolicy="Sometimes"),
        lambda v: v["dagster-user-deployments"]["deployments"][0].pop("codeServerArgs"),
        lambda v: v["dagsterDaemon"]["env"].append({"name": "A", "value": 1}),
        lambda v: v["postgresql"].pop("postgresqlHost"),
        lambda v: v["dagsterDaemon"]["resources"]["limits"].update(memory="plenty"),
        lambda v: v.update(dagit={}),
    ],
)
def test_a_mistake_is_not_accepted(mistake: Callable[[dict[str, Any]], object]) -> None:
    values = copy.deepcopy(CHART)
    mistake(values)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, VALUES)


def test_every_pod_has_the_instance_of_the_image_and_its_variables() -> None:
    wanted = named_in(yaml.safe_load((DEPLOY / "dagster.yaml").read_text()))
    (home,) = re.findall(r"DAGSTER_HOME=(\S+)", (ROOT / "Dockerfile").read_text())
    assert CHART["global"]["dagsterHome"] != home, "the chart would put its own file over it"
    for name, pod in PODS.items():
        given = dict(variables(pod))
        assert wanted <= set(given), name
        assert given["DAGSTER_HOME"]["value"] == home
    servers = {dict(variables(pod))["POSTGRES_HOST"]["value"] for pod in PODS.values()}
    assert servers == {CHART["postgresql"]["postgresqlHost"]}


def test_no_secret_stands_in_the_files() -> None:
    for name, pod in PODS.items():
        for variable, given in variables(pod):
            if SECRET.search(variable) and not variable.endswith("_USER"):
                assert "value" not in given, (name, variable)
                assert given["valueFrom"]["secretKeyRef"]["key"]
    assert not CHART["postgresql"]["postgresqlPassword"]
    assert CHART["generatePostgresqlPasswordSecret"] is False
    assert "env" not in CONTAINER
    assert not any(manifest["kind"] == "Secret" for manifest in MANIFESTS)


def test_no_pod_has_root_or_writes_its_own_files_and_each_is_bounded_and_asked() -> None:
    for pod, container in (*((pod, pod) for pod in PODS.values()), (POD, CONTAINER)):
        of_pod = pod.get("podSecurityContext", pod["securityContext"])
        assert of_pod["runAsNonRoot"] is True
        assert of_pod["runAsUser"] > 0
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= set(container["resources"])
        assert container["livenessProbe"]
        writable = {m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")}
        assert writable <= {"/data", "/tmp"}  # noqa: S108
    assert not POD["automountServiceAccountToken"]
    (data,) = (m for m in CONTAINER["volumeMounts"] if m["mountPath"] == "/data")
    assert data["readOnly"] is True


def test_all_pods_have_the_same_image_and_the_same_data() -> None:
    images = {f"{pod['image']['repository']}:{pod['image']['tag']}" for pod in PODS.values()}
    assert images == {CONTAINER["image"]}
    assert f"spark.kubernetes.container.image {CONTAINER['image']}" in SPARK
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in (*PODS.values(), POD)
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    made = {m["metadata"]["name"] for m in MANIFESTS if m["kind"] == "PersistentVolumeClaim"}
    assert claims == made


def test_the_account_of_the_chart_is_the_one_that_may_start_executors() -> None:
    (account,) = (m["metadata"]["name"] for m in MANIFESTS if m["kind"] == "ServiceAccount")
    (binding,) = (m for m in MANIFESTS if m["kind"] == "RoleBinding")
    assert CHART["global"]["serviceAccountName"] == account
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account}]
    assert binding["roleRef"]["name"] in {
        m["metadata"]["name"] for m in MANIFESTS if m["kind"] == "Role"
    }


def test_credentials_travel_to_executors_encrypted() -> None:
    for setting in ("spark.authenticate true", "spark.network.crypto.enabled true"):
        assert setting in SPARK.splitlines()


def test_the_code_server_starts_as_in_compose() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    command = compose["services"]["code"]["command"]
    assert set(CODE["codeServerArgs"]) <= set(command)
    assert f"--port={CODE['port']}" in command
    assert compose["services"]["report"]["command"] == CONTAINER["args"]


def test_runs_are_launched_as_the_image_does() -> None:
    instance = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    launcher = CHART["runLauncher"]["config"]["customRunLauncher"]
    assert {"module": launcher["module"], "class": launcher["class"]} == instance["run_launcher"]
