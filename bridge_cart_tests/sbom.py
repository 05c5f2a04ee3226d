"""What the lock pins, as a software bill of materials (CycloneDX 1.6, JSON); `make sbom`.

The same lock gives the same bytes: no time and no random number is in it.
"""

import hashlib
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

_PIN = re.compile(
    r"^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?==([^\s;\\]+)\s*(;[^\\\n]*)?", re.MULTILINE
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def bill_of_materials(lock: str, name: str, version: str) -> dict[str, Any]:
    """The packages of a lock file with hashes.

    Args:
        lock: its text.
        name, version: what it is the lock of.
    """
    pins = list(_PIN.finditer(lock))
    ends = [pin.start() for pin in pins[1:]] + [len(lock)]
    components = [
        _component(pin, _HASH.findall(lock, pin.end(), end))
        for pin, end in zip(pins, ends, strict=True)
    ]
    digest = hashlib.sha256(lock.encode()).hexdigest()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"pkg:pypi/{name}@{version}",
                "name": name,
                "version": version,
            }
        },
        "components": sorted(components, key=lambda component: component["bom-ref"]),
    }


def _component(pin: re.Match[str], hashes: list[str]) -> dict[str, Any]:
    name = re.sub(r"[-_.]+", "-", pin[1]).lower()
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{pin[3]}",
        "name": name,
        "version": pin[3],
        "purl": f"pkg:pypi/{name}@{pin[3]}",
        # One for each file that may be installed: source, and wheels by platform.
        "hashes": [{"alg": "SHA-256", "content": content} for content in sorted(hashes)],
    }
    if pin[4]:
        marker = pin[4].lstrip("; ").strip()
        found["properties"] = [{"name": "bridge-cart:marker", "value": marker}]
    return found


def main() -> None:
    """Print the bill of materials of a lock file."""
    import tomllib

    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    bill = bill_of_materials(Path(sys.argv[1]).read_text(), project["name"], project["version"])
    print(json.dumps(bill, indent=2))


if __name__ == "__main__":
    main()
