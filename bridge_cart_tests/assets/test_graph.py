"""The asset graph against its golden copy, so that no edge changes by accident."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from bridge_cart_assets.definitions import build_defs
from bridge_cart_assets.settings import Settings

GOLDEN = Path(__file__).with_name("graph.json")


def graph() -> dict[str, object]:
    """Every asset with its group, kinds, owners, partitions, parents, condition and checks."""
    assets = build_defs(Settings()).resolve_asset_graph()
    checks = sorted(assets.asset_check_keys, key=lambda k: k.to_user_string())
    described: dict[str, object] = {}
    for key in sorted(assets.get_all_asset_keys(), key=lambda k: k.to_user_string()):
        node = assets.get(key)
        condition = node.automation_condition
        described[key.to_user_string()] = {
            "group": node.group_name,
            "kinds": sorted(node.kinds),
            "owners": sorted(node.owners),
            "partitioned": node.partitions_def is not None,
            "parents": sorted(parent.to_user_string() for parent in node.parent_keys),
            "automation": condition.get_label() if condition else None,
            "checks": [c.name for c in checks if c.asset_key == key],
        }
    return described


def test_the_asset_graph_equals_its_golden_copy() -> None:
    # After a wanted change: python -m bridge_cart_tests.assets.test_graph > …/graph.json
    assert graph() == json.loads(GOLDEN.read_text())


def test_every_column_of_every_asset_has_a_type_and_a_meaning() -> None:
    assets = build_defs(Settings()).resolve_asset_graph()
    for key in assets.get_all_asset_keys():
        if key.path in (["catalogue"], ["shop", "day"], ["ops", "maintenance"]):  # no tables
            continue
        schema = assets.get(key).metadata["dagster/column_schema"]
        assert assets.get(key).description
        assert all(column.type and column.description for column in schema.columns), key


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "import bridge_cart_assets.definitions as d; d.defs()"],
        ["-c", "from bridge_cart_assets.cli import cli; cli(['--help'], standalone_mode=False)"],
    ],
)
def test_loading_reads_and_writes_nothing_and_leaves_scikit_learn_out(
    tmp_path: Path, arguments: list[str]
) -> None:
    code = arguments[1] + (
        "\nimport sys\n"
        "slow = {'sklearn', 'scipy', 'faker', 'plotly', 'uvicorn'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(("BRIDGE_CART", "DAGSTER"))}
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        env={**env, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


if __name__ == "__main__":
    print(json.dumps(graph(), indent=1))


def test_dagster_loads_the_code_location(tmp_path: Path) -> None:
    """Names that clash show only when a webserver or a daemon asks for the repository."""
    everything = {
        "BRIDGE_CART_DATA": str(tmp_path),
        "BRIDGE_CART_ALERT_WEBHOOK": "https://hooks.example/x",
        "BRIDGE_CART_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    }
    defs = build_defs(Settings.from_environment(everything))
    dg.Definitions.validate_loadable(defs)
    assert {sensor.name for sensor in defs.get_repository_def().sensor_defs} >= {
        "alert_sensor", "kafka_sensor",
    }  # fmt: skip
