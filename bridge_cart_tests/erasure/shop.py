"""A small shop with a person whose traces are everywhere, and with others who stay."""

import gzip
import json
import os
from pathlib import Path

import polars as pl

# Two accounts and a guest with one address, who are one person; and their former address.
PERSON = ("PX-100", "PX-200")
WORDS = (
    *PERSON,
    "vera.quill@example.org",
    "old.quill@example.org",
    "Vera Quillfeather",
    "+49 170 5550199",
    "+491705550199",
    *(f"OX-{number}" for number in range(1, 12)),
    "#QX77",
)
LINE = "order_id,customer_id,email,purchase_date,purchase_amount,updated_at"
PROFILE = "customer_id,name,email,mobile,updated_at"
SHOPIFY = "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem price,Notes"


def land(root: Path) -> None:
    """Land the shop's files."""
    customers = (
        f"{PROFILE}\n"
        "PX-100,Vera Quillfeather,old.quill@example.org,+49 170 5550199,2024-01-01\n"
        "PX-100,Vera Quillfeather,vera.quill@example.org,+49 170 5550199,2024-01-02\n"
        "C2,Other Person,two@example.org,,2024-01-01\n"
        "PX-200,,Vera.Quill@example.org,,2024-01-02\n"
        + "".join(f"S{n},,till@example.org,,2024-01-01\n" for n in range(6))
    )
    write(root / "customers/2024-01-02.csv", customers)
    lines = (
        f"{LINE}\n"
        "OX-1,PX-100,,2024-01-02,10.00,\n"
        "OX-1,,,2024-01-02,1.50,\n"
        "O2,C2,two@example.org,2024-01-02,20.00,\n"
        "OX-2,,vera.quill@example.org,2024-01-02,30.00,\n"
        "OX-3,PX-100,,not a day,5.00,\n"
        "OX-4,PX-100\n"
        "O3,,,2024-01-02,7.00,\n"
        "O4,S1,till@example.org,2024-01-02,9.00,\n"
        "OX-5,PX-200,,25/01/2024,4.00,\n"
    )
    write(root / "purchases/2024-01-02.csv", lines)
    # Another one's order was first written down as theirs; and theirs as another's.
    write(
        root / "purchases/2024-01-03.csv.gz",
        f"{LINE},line_number\nO5,PX-100,,2024-01-03,11.00,2024-01-03T10:00,1\n"
        "O5,C2,,2024-01-03,11.00,2024-01-03T12:00,1\n"
        "O6,C2,,2024-01-03,3.00,2024-01-03T10:00,1\n"
        "O6,PX-200,,2024-01-03,3.00,2024-01-03T12:00,1\n",
    )
    objects = [
        {"order_id": "OX-6", "customer_id": "PX-200", "purchase_date": "2024-01-04",
         "purchase_amount": 8, "note": "ask vera.quill@example.org"},
        {"order_id": "O7", "customer_id": "C2", "purchase_date": "2024-01-04",
         "purchase_amount": 6, "note": None},
    ]  # fmt: skip
    write(root / "purchases/2024-01-04.json", json.dumps(objects, indent=1))
    pl.DataFrame(
        {
            "order_id": ["OX-7", "O8"],
            "customer_id": ["PX-100", "C2"],
            "purchase_date": ["2024-01-05", "2024-01-05"],
            "purchase_amount": ["2.00", "3.00"],
        }
    ).write_parquet(root / "purchases/2024-01-05.parquet")
    write(
        root / "shopify_orders/2024-01-05.csv",
        f"{SHOPIFY}\n#QX77,vera.quill@example.org,paid,2024-01-05,1,5.00,for Vera Quillfeather\n"
        "#QX77,,,,2,2.50,\n#1002,two@example.org,paid,2024-01-05,1,8.00,\n",
    )


def land_later(root: Path) -> None:
    """Land what would bring the person back."""
    write(root / "customers/2024-01-07.csv", f"{PROFILE}\nPX-100,Vera Quillfeather,,,2024-01-07\n")
    write(
        root / "purchases/2024-01-07.csv",
        f"{LINE}\nOX-1,PX-100,,2024-01-02,12.00,2024-01-07\n"
        "OX-9,,VERA.QUILL@example.org,2024-01-07,1.00,\n"
        "OX-2,,,2024-01-02,30.00,2024-01-07\n"
        "OX-10,PX-200\n"
        "O9,C2,,2024-01-07,2.00,\n",
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    os.utime(path, (1_700_000_000, 1_700_000_000))
