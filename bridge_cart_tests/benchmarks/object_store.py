"""What a lake in an object store costs beside one in a folder: CPU seconds and requests.

    python -m bridge_cart_tests.benchmarks.object_store $(mktemp -d) [DAYS]

One shop in two data folders, one of them with its lake on moto's S3 server: the first run, DAYS (3)
more days one by one, then verbs that only look. The two take turns. CPU seconds are those of the
command's whole process; the server's own are not among them.
"""

import resource
import subprocess
import sys
from pathlib import Path

from bridge_cart_tests.conftest import environment_of
from bridge_cart_tests.stores.servers import Server, s3_server

_SHOP = ("generate", "--customers", "2000", "--days", "60", "--start", "2024-01-01")
_VERBS = ("run", "status", "check", "doctor")
_KINDS = ("GET log", "LIST", "GET", "HEAD", "PUT", "POST")


def main(folder: Path, days: int) -> None:
    with s3_server(folder) as server:
        server.make_bucket("shop")
        store = {"BRIDGE_CART_LAKE": "s3://shop/lake", **server.environment()}
        places = {"folder": dict[str, str](), "store": store}
        for place in places:
            _cpu_seconds(_SHOP, environment_of(folder / place))
        print("| | lake | CPU seconds | " + " | ".join(_KINDS) + " |")
        print("|---|---|--:|" + "--:|" * len(_KINDS))
        steps = [("first run", "run"), *((f"day {n + 1}", "run") for n in range(days))]
        for step, verb in (*steps, *((f"`{verb}`, nothing new", verb) for verb in _VERBS)):
            for place, environment in places.items():
                if step.startswith("day"):
                    until = f"2024-03-{int(step[4:]):02}"
                    _cpu_seconds(("generate", "--until", until), environment_of(folder / place))
                _measure(step, place, verb, environment_of(folder / place, **environment), server)


def _measure(step: str, place: str, verb: str, env: dict[str, str], server: Server) -> None:
    before = server.requests()
    seconds = _cpu_seconds((verb,), env)
    asked = server.requests() - before
    counts = " | ".join(str(asked[kind] or "") for kind in _KINDS)
    print(f"| {step} | {place} | {seconds:.2f} | {counts} |", flush=True)


def _cpu_seconds(arguments: tuple[str, ...], env: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "bridge_cart_assets", *arguments]
    subprocess.run(command, env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
