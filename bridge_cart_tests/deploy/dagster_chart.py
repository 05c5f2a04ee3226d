"""The part of the values of Dagster's Helm chart that deploy/kubernetes/values.yaml uses.

Names and types as the chart's own models have them (dagster-io/dagster, helm/dagster/schema: values
and daemon at 835892b, webserver at 288c611, user deployments at 58b0565, postgresql at 3f2daa0, run
launcher at 969d726, kubernetes at 3649973). The chart has the version of Dagster itself; values
that it forbids beside these are forbidden here, those that it only passes on are checked as far as
Kubernetes' API has them (v1.19, which the chart refers to).
"""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
PORT: Schema = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, TEXT]}
QUANTITY: Schema = {"type": "string", "pattern": r"^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi)?$"}


def closed(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """An object with these members and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


IMAGE = closed(
    ("repository", "pullPolicy"),
    repository=TEXT,
    tag={"type": ["string", "integer"]},
    pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
)
KEY_REF = closed(("name", "key"), name=TEXT, key=TEXT, optional=FLAG)
ENV_VAR: Schema = {
    **closed(
        ("name",),
        name=TEXT,
        value=TEXT,
        valueFrom=closed(secretKeyRef=KEY_REF, fieldRef=closed(("fieldPath",), fieldPath=TEXT)),
    ),
    "oneOf": [{"required": ["value"]}, {"required": ["valueFrom"]}],
}
PROBE = {
    "exec": closed(("command",), command=many(TEXT)),
    "httpGet": closed(("port",), path=TEXT, port=PORT),
    "tcpSocket": closed(("port",), port=PORT),
    "initialDelaySeconds": COUNT,
    "periodSeconds": COUNT,
    "timeoutSeconds": COUNT,
    "successThreshold": COUNT,
    "failureThreshold": COUNT,
}
POD_SECURITY = closed(
    runAsNonRoot=FLAG,
    runAsUser=COUNT,
    runAsGroup=COUNT,
    fsGroup=COUNT,
    seccompProfile=closed(("type",), type={"enum": ["RuntimeDefault", "Localhost", "Unconfined"]}),
)
SECURITY = closed(
    allowPrivilegeEscalation=FLAG,
    readOnlyRootFilesystem=FLAG,
    runAsNonRoot=FLAG,
    runAsUser=COUNT,
    capabilities=closed(drop=many(TEXT), add=many(TEXT)),
)
AMOUNTS = closed(cpu=QUANTITY, memory=QUANTITY)
VOLUME: Schema = {
    **closed(
        ("name",),
        name=TEXT,
        emptyDir=closed(),
        persistentVolumeClaim=closed(("claimName",), claimName=TEXT, readOnly=FLAG),
        configMap=closed(("name",), name=TEXT),
    ),
    "oneOf": [{"required": [kind]} for kind in ("emptyDir", "persistentVolumeClaim", "configMap")],
}
MOUNT = closed(("name", "mountPath"), name=TEXT, mountPath=TEXT, readOnly=FLAG, subPath=TEXT)
OF_POD: dict[str, Schema] = {
    "image": IMAGE,
    "env": many(ENV_VAR),
    "podSecurityContext": POD_SECURITY,
    "securityContext": SECURITY,
    "resources": closed(requests=AMOUNTS, limits=AMOUNTS),
    "readinessProbe": closed(**PROBE),
    "livenessProbe": closed(**PROBE),
    "startupProbe": closed(enabled=FLAG, **PROBE),
    "volumes": many(VOLUME),
    "volumeMounts": many(MOUNT),
}
SERVICE = closed(("type", "port"), type=TEXT, port={"type": "integer"})
CLASS = closed(
    ("module", "class", "config"),
    **{"module": TEXT, "class": TEXT, "config": {"type": "object"}},
)
DEPLOYMENT: Schema = {
    **closed(
        ("name", "image", "port"),
        name={"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"},
        codeServerArgs=many(TEXT),
        dagsterApiGrpcArgs=many(TEXT),
        port={"type": "integer"},
        includeConfigInLaunchedRuns=closed(("enabled",), enabled=FLAG),
        **{**OF_POD, "readinessProbe": closed(enabled=FLAG, **PROBE)},
    ),
    "oneOf": [{"required": ["codeServerArgs"]}, {"required": ["dagsterApiGrpcArgs"]}],
}

VALUES = closed(
    ("dagsterWebserver", "dagster-user-deployments", "postgresql", "dagsterDaemon", "runLauncher"),
    **{
        "global": closed(dagsterHome=TEXT, postgresqlSecretName=TEXT, serviceAccountName=TEXT),
        "serviceAccount": closed(("create",), create=FLAG, name=TEXT),
        "generatePostgresqlPasswordSecret": FLAG,
        "postgresql": closed(
            ("enabled", "postgresqlHost", "postgresqlUsername", "postgresqlDatabase", "service"),
            enabled=FLAG,
            postgresqlHost=TEXT,
            postgresqlUsername=TEXT,
            postgresqlPassword=TEXT,
            postgresqlDatabase=TEXT,
            service=closed(("port",), port={"type": "integer"}),
        ),
        "dagsterWebserver": closed(
            ("replicaCount", "image"), replicaCount=COUNT, service=SERVICE, **OF_POD
        ),
        "dagsterDaemon": closed(("enabled", "image"), enabled=FLAG, **OF_POD),
        "runLauncher": closed(
            ("type", "config"),
            type={"enum": ["CeleryK8sRunLauncher", "K8sRunLauncher", "CustomRunLauncher"]},
            config=closed(customRunLauncher=CLASS),
        ),
        "dagster-user-deployments": closed(
            ("enabled", "enableSubchart", "deployments"),
            enabled=FLAG,
            enableSubchart=FLAG,
            deployments=many(DEPLOYMENT),
        ),
    },
)
