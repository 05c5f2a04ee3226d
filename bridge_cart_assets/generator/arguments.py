"""What a shop is made from.

Belongs here: the arguments, and which are accepted. Does not belong here: making the shop (`shop`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import available_timezones

from bridge_cart_assets.generator import ground_truth
from bridge_cart_assets.generator.defects import (
    EXPORTS,
    FORM_KINDS,
    KINDS,
    RECORD_KINDS,
    RENAMED,
    forms_of_kinds,
)
from bridge_cart_assets.generator.landing import Form, Target

MOST_CUSTOMERS = 100_000_000
EARLIEST, LATEST = date(1980, 1, 1), date(2100, 12, 31)
# Part of the arguments in truth/shop.json: raise it when the same arguments give other bytes.
EDITION = 3


@dataclass(frozen=True)
class Shop:
    """What a shop is made from; the same arguments give the same bytes.

    All arguments but `days` tell one shop from another: more days of the same shop begin with the
    fewer ones.

    Attributes:
        customers: how many people are customers on the first day.
        days: how many days the shop is watched.
        start: the first of them.
        newcomers: how many more people sign up on each later day, on average.
        seed: another seed, another shop.
        dirt: share of the records with a defect, and of the files with each defect of whole files.
        rates: shares of their own for some kinds of defects (`defects.KINDS`), by kind, and for
            those that exports bring (`defects.EXPORTS`); the other kinds have `dirt` to
            themselves.
        form: format of the files.
        gz: whether the files are compressed.
        guests: share of the orders that are placed without an account; a fifth of them without an
            e-mail address too. With guests, order lines have the column email.
        second_accounts: share of the customers who are the second account of another one.
        zone: the shop's time zone: its days are local ones, and its files have the times of its
            clock, without a zone.
        to: where the records go; messages are NDJSON lines, and there are no files to compress.

    Raises:
        ValueError: an argument is not accepted; the message says what is.
    """

    customers: int
    days: int
    start: date = date(2024, 1, 1)
    seed: int = 7
    dirt: float = 0.02
    newcomers: float = 0.0
    rates: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    form: Form = Form.CSV
    gz: bool = False
    to: Target = Target.FILES
    guests: float = 0.0
    second_accounts: float = 0.0
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse what cannot be a shop."""
        object.__setattr__(self, "form", Form(self.form))
        object.__setattr__(self, "to", Target(self.to))
        if not 1 <= self.customers <= MOST_CUSTOMERS:
            raise ValueError(
                f"customers={self.customers} is not accepted: at least 1 and at most "
                f"{MOST_CUSTOMERS:,}"
            )
        if self.days < 1:
            raise ValueError(f"days={self.days} is not accepted: at least 1")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed} is not accepted: 0 or more")
        if not 0 <= self.newcomers <= MOST_CUSTOMERS / self.days:
            raise ValueError(
                f"newcomers={self.newcomers} is not accepted: 0 or more, and in all days together "
                f"at most {MOST_CUSTOMERS:,}"
            )
        if not 0 <= self.dirt <= 1:
            raise ValueError(f"dirt={self.dirt} is not accepted: a share from 0 to 1")
        for name, most in (("guests", 1.0), ("second_accounts", 0.5)):
            share = getattr(self, name)
            if not 0 <= share <= most:
                raise ValueError(f"{name}={share} is not accepted: a share from 0 to {most:g}")
        self._refuse_rates()
        if self.gz and self.form is Form.PARQUET:
            raise ValueError("gz=True is not accepted with form=parquet: Parquet is compressed")
        if self.to is Target.KAFKA and (self.form is not Form.NDJSON or self.gz):
            raise ValueError("to=kafka is accepted with form=ndjson only, and without gz")
        if self.zone not in available_timezones():
            raise ValueError(f"zone={self.zone} is not accepted: the IANA name of a time zone")
        if self.start < EARLIEST:
            raise ValueError(f"start={self.start} is not accepted: {EARLIEST} or later")
        if self.start.toordinal() + self.days - 1 > LATEST.toordinal():
            raise ValueError(
                f"days={self.days} from start={self.start} is not accepted: "
                f"the last day must be {LATEST} or before"
            )

    def _refuse_rates(self) -> None:
        for kind, rate in self.rates.items():
            if kind not in (*KINDS, EXPORTS):
                known = ", ".join((*KINDS, EXPORTS))
                raise ValueError(f"{kind!r} is no kind of defect: there are {known}")
            if not 0 <= rate <= 1:
                raise ValueError(f"{kind}={rate} is not accepted: a share from 0 to 1")
        if self.guests and any(kind in (*FORM_KINDS, EXPORTS) for kind in self.rates):
            raise ValueError("guests are not accepted with defects that give a file another form")
        forms = forms_of_kinds()
        for kind in self.rates:
            if self.form not in forms[kind]:
                raise ValueError(f"{kind} is not accepted with form={self.form}: it cannot have it")
            if self.to is Target.KAFKA and kind in FORM_KINDS:
                raise ValueError(f"{kind} is not accepted with to=kafka: there are no files")
        if math.fsum(rate for rate, _ in self.shares_of_forms) > 1 + 1e-9:
            raise ValueError(
                f"rates of {', '.join((*FORM_KINDS, EXPORTS))} of more than 1 together are not "
                "accepted: a file has one form"
            )
        kinds = (*RECORD_KINDS, EXPORTS)
        own = math.fsum(rate for kind, rate in self.rates.items() if kind in kinds)
        if own + self.dirt > 1 + 1e-9:  # a sum of shares may round to a little more than 1
            raise ValueError(
                f"dirt={self.dirt} and rates of {own:g} together are not accepted: at most 1"
            )

    @classmethod
    def asked_for(cls, data: Path, until: date | None = None, **given: Any) -> "Shop":
        """The shop that somebody wants in a folder.

        Args:
            data: working folder; the shop in it goes on when `until` is said.
            until: the last day, instead of `days`.
            given: arguments of `Shop` that were said; they have to be those of the shop that
                goes on, or `generate` will refuse.

        Raises:
            ValueError: an argument is missing, or is not accepted.
        """
        if until is None:
            if given.keys() >= {"customers", "days"}:
                return cls(**given)
            raise ValueError("say --customers and --days, or --until to go on with a shop")
        if "days" in given:
            raise ValueError("--days and --until are not accepted together")
        arguments = ({} if "customers" in given else cls._known(data)) | given
        start = arguments.get("start", cls.start)
        if until < start:
            raise ValueError(f"until={until} is not accepted: the shop begins on {start}")
        return cls(**arguments, days=(until - start).days + 1)

    @staticmethod
    def _known(data: Path) -> dict[str, Any]:
        """The arguments of the folder's shop.

        Raises:
            ValueError: there is none, or none that this edition of the generator could go on with.
        """
        known = ground_truth.arguments_of(data)
        if known.get("edition") != EDITION:
            raise ValueError(
                f"the shop in {data} is of edition {known.get('edition')} of the generator and "
                f"this is edition {EDITION}: choose another folder"
            )
        try:
            return {
                "customers": int(known["customers"]),
                "start": date.fromisoformat(known["start"]),
                "seed": int(known["seed"]),
                "dirt": float(known["dirt"]),
                "newcomers": float(known["newcomers"]),
                "rates": dict(known["rates"]),
                "form": Form(known["form"]),
                "gz": bool(known["gz"]),
                "to": Target(known.get("to", Target.FILES)),
                "guests": float(known.get("guests", 0.0)),
                "second_accounts": float(known.get("second_accounts", 0.0)),
                "zone": str(known.get("zone", "UTC")),
            }
        except (KeyError, TypeError, ValueError) as error:
            file = data / "truth" / ground_truth.SHOP
            raise ValueError(f"{file} is damaged ({error!r}): choose another folder") from error

    def day(self, number: int) -> date:
        """The day that is so many days after the first."""
        return self.start + timedelta(days=number)

    def rate_of_files(self, kind: str) -> float:
        """Share of the files that a kind of defect befalls; messages have no names."""
        if self.to is Target.KAFKA and kind == RENAMED:
            return 0.0
        return self.rates.get(kind, self.dirt)

    @property
    def shares_of_forms(self) -> list[tuple[float, list[str]]]:
        """Shares of the files, each with the kinds of `defects.FORM_KINDS` that share it."""
        if self.to is Target.KAFKA:
            return []
        own = [(self.rates[kind], [kind]) for kind in FORM_KINDS if kind in self.rates]
        others = [kind for kind in FORM_KINDS if kind not in self.rates]
        return [*own, (self.rates.get(EXPORTS, 0.0), others)]

    @property
    def arguments(self) -> dict[str, Any]:
        """What tells this shop from another, as it stands in truth/shop.json."""
        return {
            "edition": EDITION,
            "customers": self.customers,
            "start": self.start.isoformat(),
            "seed": self.seed,
            "dirt": float(self.dirt),
            "newcomers": float(self.newcomers),
            "rates": {kind: float(rate) for kind, rate in sorted(self.rates.items())},
            "form": str(self.form),
            "gz": self.gz,
            **({"to": str(self.to)} if self.to is not Target.FILES else {}),
            **({"guests": float(self.guests)} if self.guests else {}),
            **({"second_accounts": float(self.second_accounts)} if self.second_accounts else {}),
            **({"zone": self.zone} if self.zone != "UTC" else {}),
        }
