"""The bill of materials names what the lock pins."""

import json
import re
from pathlib import Path

from bridge_cart_tests.sbom import bill_of_materials

LOCK = (Path(__file__).parents[2] / "requirements.lock").read_text()


def test_every_pinned_package_is_in_it_with_its_hashes() -> None:
    bill = bill_of_materials(LOCK, "bridge-cart", "1")
    pinned = re.findall(r"^[A-Za-z0-9].*?==", LOCK, re.MULTILINE)
    assert len(bill["components"]) == len(pinned) > 50
    assert all(component["hashes"] for component in bill["components"])
    names = [component["bom-ref"] for component in bill["components"]]
    assert len(set(names)) == len(names)
    assert any(name.startswith("pkg:pypi/polars@") for name in names)
    hashes = [h["content"] for component in bill["components"] for h in component["hashes"]]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", LOCK))


def test_the_same_lock_gives_the_same_bytes() -> None:
    once, again = (json.dumps(bill_of_materials(LOCK, "a", "1")) for _ in range(2))
    assert once == again
    assert once != json.dumps(bill_of_materials(LOCK.replace("==", "==9"), "a", "1"))
