"""What can go wrong on the way: every kind of defect, how often, and what should become of it.

Belongs here: the kinds, as data, and the share of the records that each befalls. Does not belong
here: putting them in (`deliveries`, `defect_injection`), nor how a value is spelt (`spellings`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

import polars as pl

from bridge_cart_assets.generator import spellings as sp
from bridge_cart_assets.generator.landing import CUSTOMERS, PURCHASES, Form

ALWAYS = pl.lit(True)
NOTHING: Mapping[str, pl.Expr] = MappingProxyType({})


class How(Enum):
    """In which way a defect befalls a record."""

    VALUE = "a value in the record's place"
    COPY = "a copy behind the record"
    LINE = "the record's line in the file"
    LATE = "the record in a later file"
    CORRECTED_LATER = "a wrong record, and the right one in a later file"
    CORRECTED_FIRST = "the right record, and the wrong one in a later file"


CORRECTED = (How.CORRECTED_LATER, How.CORRECTED_FIRST)
MOVING = (How.LATE, *CORRECTED)


@dataclass(frozen=True, eq=False)  # expressions cannot be compared
class Defect:
    """One kind of defect in one column.

    Attributes:
        kind: its name in the manifest and on the command line.
        expected: what should become of the record: `repaired` (silver has the clean value),
            `defaulted` (null, or the contract's default), `kept` (silver has the dirty value:
            there is no way to know), `accepted` (nothing is wrong with the values), `duplicate`,
            `superseded`, or the reason of the refusal.
        weight: how often, among the defects that can befall a record.
        changes: the text that takes the place of each spoilt column's tidy one.
        how: in which way.
        line: what the line becomes, from the column `line`; for `How.LINE`.
        applies: records that it can befall.
        forms: formats of files that can have it.
        blanks: whether it leaves nothing of the value.
    """

    kind: str
    expected: str
    weight: float
    changes: Mapping[str, pl.Expr] = field(default_factory=lambda: NOTHING)
    how: How = How.VALUE
    line: pl.Expr | None = None
    applies: pl.Expr = ALWAYS
    forms: tuple[Form, ...] = tuple(Form)
    blanks: bool = False

    @property
    def can_befall(self) -> pl.Expr:
        """Records that it can befall: of a line that will be cancelled, only to be refused."""
        return self.applies if self.expected.isupper() else self.applies & pl.col("_stands")

    @property
    def column(self) -> str | None:
        """The column that is spoilt; None when it is none, or several."""
        return next(iter(self.changes)) if len(self.changes) == 1 else None


def _missing(column: str, expected: str = "defaulted", weight: float = 2) -> Defect:
    return Defect("missing_value", expected, weight, {column: sp.one_of(sp.MISSING)}, blanks=True)


def _respelt(
    kind: str, column: str, dirty: pl.Expr, weight: float, applies: pl.Expr = ALWAYS
) -> Defect:
    return Defect(kind, "repaired", weight, {column: dirty}, applies=applies)


def _date_spellings(column: str) -> tuple[Defect, ...]:
    long_epoch, full_minute = sp.has_long_epoch(column), sp.is_full_minute(column)
    day_first = sp.moment_written(column, "%d/%m/%Y %H:%M:%S")
    month_name = sp.moment_written(column, "%d-%b-%Y %H:%M:%S")
    compact = sp.moment_written(column, "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%SZ", "%Y-%m-%d %H:%M:%S")
    short = sp.moment_written(column, "%d/%m/%Y %H:%M", "%d-%b-%Y %H:%M", "%Y-%m-%d %H:%M")
    return (
        _respelt("date_with_zone", column, sp.with_zone(column), 3),
        _respelt("date_day_first", column, day_first, 5),
        _respelt("date_month_name", column, month_name, 2),
        _respelt("date_iso_basic", column, compact, 2),
        _respelt("date_without_seconds", column, short, 20, full_minute),  # one in sixty
        _respelt("date_epoch", column, sp.epoch(column), 2, long_epoch),
        _respelt("date_epoch_ms", column, sp.epoch_milliseconds(column), 2, long_epoch),
    )


def _amount_spellings(column: str, *, thousands: float) -> tuple[Defect, ...]:
    positive = ~sp.is_negative(column)
    large = positive & sp.is_thousands(column)
    return (
        _respelt("amount_thousands", column, sp.with_thousands(column), thousands, large),
        _respelt("amount_european", column, sp.european(column), thousands / 2, large),
        _respelt("amount_currency", column, sp.with_currency(column), 5, positive),
        _respelt("amount_comma", column, sp.with_comma(column), 5),
    )


def _bad_encoding(column: str, dirty: pl.Expr, applies: pl.Expr = ALWAYS) -> Defect:
    return Defect(
        "bad_encoding",
        "BAD_ENCODING",
        weight=3,
        changes={column: dirty},
        applies=applies,
        forms=(Form.CSV, Form.NDJSON),
    )


_LINE = pl.col("line")
_MALFORMED_LINES = tuple(
    Defect("malformed_line", expected, weight=2, how=How.LINE, line=line, forms=(form,))
    for expected, line, form in (
        ("TOO_FEW_FIELDS", _LINE.str.replace(",[^,]*,[^,]*$", ""), Form.CSV),
        ("TOO_MANY_FIELDS", _LINE + ",1", Form.CSV),
        ("MALFORMED", pl.lit('"') + _LINE, Form.CSV),
        ("MALFORMED", _LINE.str.head(-12), Form.NDJSON),
    )
)
_LATE = Defect("late_arrival", "accepted", weight=12, how=How.LATE)
_DUPLICATE = Defect("duplicate_record", "duplicate", weight=15, how=How.COPY)
_COMPLETED = pl.col("status") == "completed"

PURCHASE_DEFECTS = (
    *_date_spellings("purchase_date"),
    *_date_spellings("updated_at"),
    *_amount_spellings("purchase_amount", thousands=60),  # few lines are that dear
    _respelt(
        "amount_parentheses",
        "purchase_amount",
        sp.in_parentheses("purchase_amount"),
        30,
        sp.is_negative("purchase_amount"),
    ),
    _respelt("boolean_spelling", "coupon_used", sp.respelt("coupon_used", sp.BOOLEANS), 8),
    _respelt(
        "payment_spelling", "payment_method", sp.respelt("payment_method", sp.PAYMENT_METHODS), 12
    ),
    _missing("coupon_used"),
    _missing("payment_method"),
    _missing("product_category"),
    _missing("quantity"),
    _missing("order_id", "MISSING_ORDER_ID"),
    _missing("customer_id", weight=3),
    _missing("purchase_date", "MISSING_DATE"),
    _missing("purchase_amount", "MISSING_AMOUNT"),
    Defect("unreadable_amount", "BAD_AMOUNT", 4, {"purchase_amount": sp.one_of(sp.NOT_AMOUNTS)}),
    Defect("unreadable_date", "BAD_DATE", 4, {"purchase_date": sp.one_of(sp.NOT_MOMENTS)}),
    Defect(
        "negative_amount",
        "NON_POSITIVE_AMOUNT",
        weight=3,
        changes={"purchase_amount": pl.lit("-") + pl.col("purchase_amount")},
        applies=_COMPLETED,
    ),
    Defect(
        "zero_amount",
        "kept",
        weight=2,
        changes={"purchase_amount": sp.one_of(("0", "0.00"))},
        applies=_COMPLETED & (pl.col("discount_amount").cast(pl.Float64) == 0),
    ),
    Defect(
        "clock_ahead",
        "FUTURE_DATE",
        weight=3,
        changes={"purchase_date": sp.ahead("purchase_date")},
        applies=pl.col("status") != "cancelled",  # written down days after the purchase
    ),
    Defect(
        "outlier_amount",
        "kept",
        weight=3,
        changes={"purchase_amount": sp.hundredfold("purchase_amount")},
        applies=_COMPLETED,
    ),
    Defect(
        "orphan",
        "kept",
        weight=3,
        changes={"customer_id": pl.lit("X") + (sp.CHANCE % 1_000_000).cast(pl.String)},
    ),
    _bad_encoding("product_category", sp.with_stray_byte("product_category")),
    *_MALFORMED_LINES,
    _DUPLICATE,
    Defect(
        "near_duplicate",
        "duplicate",
        weight=8,
        changes={
            "customer_id": sp.with_blanks("customer_id"),
            "product_category": sp.shouted("product_category"),
            "payment_method": sp.shouted("payment_method"),
        },
        how=How.COPY,
    ),
    _LATE,
    Defect(
        "corrected_later",
        "superseded",
        weight=8,
        changes={"purchase_amount": sp.mistyped("purchase_amount")},
        how=How.CORRECTED_LATER,
    ),
    Defect(
        "corrected_first",
        "superseded",
        weight=5,
        changes={"quantity": sp.one_more("quantity")},
        how=How.CORRECTED_FIRST,
    ),
)

CUSTOMER_DEFECTS = (
    *_date_spellings("updated_at"),
    _respelt(
        "date_day_first",
        "signup_date",
        sp.day_written("signup_date", "%d/%m/%Y", "%d/%m/%Y 00:00"),
        weight=5,
    ),
    _respelt("date_month_name", "signup_date", sp.day_written("signup_date", "%d-%b-%Y"), 3),
    _respelt("date_compact", "signup_date", sp.day_written("signup_date", "%Y%m%d"), 3),
    *_amount_spellings("income", thousands=5),
    _respelt("gender_spelling", "gender", sp.respelt("gender", sp.GENDERS), 15),
    *(_missing(column) for column in ("name", "email", "mobile", "age", "income", "city")),
    _missing("customer_id", "MISSING_CUSTOMER_ID", 5),
    _bad_encoding("name", sp.as_latin_1("name"), sp.has_latin_1("name")),
    *_MALFORMED_LINES,
    _DUPLICATE,
    Defect(
        "near_duplicate",
        "duplicate",
        weight=12,
        changes={
            "email": sp.shouted("email"),
            "mobile": pl.col("_mobile_otherwise"),
            "city": sp.with_blanks("city"),
        },
        how=How.COPY,
    ),
    _LATE,
)
REDELIVERED, RENAMED = "redelivered_file", "renamed_file"
FILE_KINDS = (REDELIVERED, RENAMED)
KINDS = tuple(
    dict.fromkeys(
        [*(defect.kind for defect in (*PURCHASE_DEFECTS, *CUSTOMER_DEFECTS)), *FILE_KINDS]
    )
)
_DEFECTS = {CUSTOMERS: CUSTOMER_DEFECTS, PURCHASES: PURCHASE_DEFECTS}


def forms_of_kinds() -> dict[str, set[Form]]:
    """The formats of files that can have each kind."""
    forms: dict[str, set[Form]] = {kind: set(Form) for kind in FILE_KINDS}
    for defect in (*PURCHASE_DEFECTS, *CUSTOMER_DEFECTS):
        forms.setdefault(defect.kind, set()).update(defect.forms)
    return forms


def defects_of(source: str, form: Form) -> tuple[Defect, ...]:
    """What can befall a source's records in files of this format."""
    return tuple(defect for defect in _DEFECTS[source] if form in defect.forms)


@dataclass(frozen=True)
class Share:
    """The records (by a number of chance from 0 to 1) that some of the defects befall.

    Attributes:
        lower, upper: of the number of chance.
        members: indices of the defects; one of those that apply is chosen by their weights.
    """

    lower: float
    upper: float
    members: tuple[int, ...]


def shares(
    defects: Sequence[Defect], dirt: float, rates: Mapping[str, float]
) -> tuple[list[Share], list[Share]]:
    """Allot the records to the defects.

    A kind with a rate of its own gets that share of the records; the others share `dirt` by their
    weights. Kinds that move a record to another day are allotted one by one, since whether they
    befall a record must be known before its content is.

    Returns:
        The shares of defects that move a record, and those of the others.
    """
    own = {kind: rate for kind, rate in rates.items() if kind not in FILE_KINDS}
    mixed = [n for n, defect in enumerate(defects) if defect.kind not in own]
    total = sum(defects[n].weight for n in mixed)
    groups = [
        (rate, [n for n, defect in enumerate(defects) if defect.kind == kind])
        for kind, rate in own.items()
    ]
    moving = [n for n in mixed if defects[n].how in MOVING]
    groups += [(dirt * defects[n].weight / total, [n]) for n in moving]
    rest = [n for n in mixed if n not in moving]
    groups.append((dirt * sum(defects[n].weight for n in rest) / total if rest else 0.0, rest))
    allotted = list(_in_a_row(groups))
    moves = [defects[share.members[0]].how in MOVING for share in allotted]
    return (
        [share for share, moved in zip(allotted, moves, strict=True) if moved],
        [share for share, moved in zip(allotted, moves, strict=True) if not moved],
    )


def _in_a_row(groups: Sequence[tuple[float, Sequence[int]]]) -> Iterator[Share]:
    lower = 0.0
    for rate, members in groups:
        if members and rate:
            yield Share(lower, lower + rate, tuple(members))
            lower += rate
