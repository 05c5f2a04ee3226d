"""What can go wrong on the way: every kind of defect, how often, and what should become of it.

Belongs here: the kinds, as data, and the share of the records that each befalls. Does not belong
here: putting them in (`deliveries`, `defect_injection`), nor how a value is spelt (`spellings`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType

import polars as pl

from bridge_cart_assets.generator import spellings as sp
from bridge_cart_assets.generator.file_forms import FILE_FORMS, NO_FORM
from bridge_cart_assets.generator.landing import CUSTOMERS, PURCHASES, Form, header_line

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
            there is no way to know), `unreadable` (as if nothing were there, and its column is
            named), `pending` (a line whose money has not come), `accepted` (nothing is wrong with
            the values), `duplicate`, `superseded`, or the reason of the refusal.
        weight: how often, among the defects that can befall a record.
        changes: the text that takes the place of each spoilt column's tidy one.
        how: in which way.
        line: what the line becomes, from the column `line`.
        applies: records that it can befall.
        forms: formats of files that can have it.
        blanks: whether it leaves nothing of the value.
        in_mix: whether it is one of those that share the dirt; the others share `EXPORTS`.
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
    in_mix: bool = True

    @property
    def can_befall(self) -> pl.Expr:
        """Records that it can befall: of a line that will be cancelled, only to be refused.

        In a file of another form a record that comes on its day is tidy, or an exact repetition.
        """
        can = self.applies if self.expected.isupper() else self.applies & pl.col("_stands")
        is_repetition = self.how is How.COPY and not self.changes and self.line is None
        return can if is_repetition else can & (pl.col("_form") == NO_FORM)

    @property
    def column(self) -> str | None:
        """The column that is spoilt; None when it is none, or several."""
        return next(iter(self.changes)) if len(self.changes) == 1 else None


def _missing(column: str, expected: str = "defaulted", weight: float = 2) -> Defect:
    return Defect("missing_value", expected, weight, {column: sp.one_of(sp.MISSING)}, blanks=True)


def _of_exports(*defects: Defect) -> tuple[Defect, ...]:
    """Defects that are put in only where they are asked for."""
    return tuple(replace(defect, in_mix=False) for defect in defects)


def _nothing(column: str, applies: pl.Expr = ALWAYS) -> Defect:
    changes = {column: sp.one_of(sp.NOTHINGS)}
    return Defect("word_for_nothing", "defaulted", 2, changes, applies=applies, blanks=True)


def _ids(column: str, reason: str) -> tuple[Defect, ...]:
    return (
        _respelt("id_guard", column, sp.between(column, sp.GUARDS), 4),
        _respelt("id_decimal", column, sp.with_whole_decimal(column), 4),
        Defect("id_rounded", reason, 3, {column: sp.one_of(sp.ROUNDED_IDS)}),
    )


def _invisible(*columns: str) -> tuple[Defect, ...]:
    return tuple(
        _respelt("invisible_character", column, sp.with_invisible(column), 2) for column in columns
    )


def _repeated_header(source: str) -> Defect:
    line = pl.lit(header_line(source))
    return Defect("repeated_header", "MALFORMED", 2, how=How.COPY, line=line, forms=(Form.CSV,))


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
    *_of_exports(
        *_ids("order_id", "BAD_ORDER_ID"),
        *_ids("customer_id", "BAD_CUSTOMER_ID"),
        *map(_nothing, ("customer_id", "coupon_used", "payment_method", "product_category")),
        *map(_nothing, ("quantity", "discount_amount", "updated_at")),
        _nothing("status", _COMPLETED),
        _respelt("status_spelling", "status", sp.respelt("status", sp.STATUSES), 6),
        Defect(
            "status_pending",
            "pending",
            weight=4,
            changes={"status": sp.one_of(sp.PENDING)},
            applies=_COMPLETED,
        ),
        Defect("status_unknown", "BAD_STATUS", 4, {"status": sp.one_of(sp.NOT_STATUSES)}),
        Defect(
            "discount_rate", "BAD_DISCOUNT", 4, {"discount_amount": sp.one_of(sp.NOT_DISCOUNTS)}
        ),
        Defect("quantity_fraction", "kept", 4, {"quantity": sp.with_fraction("quantity")}),
        Defect("updated_ahead", "unreadable", 4, {"updated_at": sp.ahead("updated_at")}),
        _respelt(
            "amount_named_currency",
            "purchase_amount",
            sp.with_named_currency("purchase_amount"),
            weight=4,
            applies=~sp.is_negative("purchase_amount"),
        ),
        _respelt(
            "amount_minus",
            "purchase_amount",
            sp.with_other_minus("purchase_amount"),
            weight=60,  # few lines give back
            applies=sp.is_negative("purchase_amount"),
        ),
        *_invisible("order_id", "customer_id", "product_category", "payment_method", "status"),
        *_invisible("purchase_amount"),
        _repeated_header(PURCHASES),
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
    *_of_exports(
        *_ids("customer_id", "BAD_CUSTOMER_ID"),
        *map(_nothing, ("name", "email", "mobile", "gender", "age", "income", "city")),
        _nothing("signup_date"),
        _respelt("country_spelling", "country", sp.respelt("country", sp.COUNTRIES), 8),
        *_invisible("customer_id", "name", "email", "city", "country"),
        _repeated_header(CUSTOMERS),
    ),
)
REDELIVERED, RENAMED = "redelivered_file", "renamed_file"
FILE_KINDS = (REDELIVERED, RENAMED)
FORM_KINDS = tuple(dict.fromkeys(file_form.kind for file_form in FILE_FORMS))
# One name for all kinds that are put in only where they are asked for.
EXPORTS = "exports"
RECORD_KINDS = tuple(
    dict.fromkeys(defect.kind for defect in (*PURCHASE_DEFECTS, *CUSTOMER_DEFECTS))
)
KINDS = (*RECORD_KINDS, *FILE_KINDS, *FORM_KINDS)
_DEFECTS = {CUSTOMERS: CUSTOMER_DEFECTS, PURCHASES: PURCHASE_DEFECTS}


def forms_of_kinds() -> dict[str, set[Form]]:
    """The formats of files that can have each kind."""
    forms: dict[str, set[Form]] = {kind: set(Form) for kind in (*FILE_KINDS, EXPORTS)}
    for defect in (*PURCHASE_DEFECTS, *CUSTOMER_DEFECTS):
        forms.setdefault(defect.kind, set()).update(defect.forms)
    for file_form in FILE_FORMS:
        forms.setdefault(file_form.kind, set()).update(file_form.forms)
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
    weights, and those that are not in the mix the rate of `EXPORTS`. Kinds that move a record to
    another day are allotted one by one, since whether they befall a record must be known before
    its content is.

    Returns:
        The shares of defects that move a record, and those of the others.
    """
    own = {kind: rate for kind, rate in rates.items() if kind in RECORD_KINDS}
    shared = [n for n, defect in enumerate(defects) if defect.kind not in own]
    mixed = [n for n in shared if defects[n].in_mix]
    total = sum(defects[n].weight for n in mixed)
    groups = [
        (rate, [n for n, defect in enumerate(defects) if defect.kind == kind])
        for kind, rate in own.items()
    ]
    groups.append((rates.get(EXPORTS, 0.0), [n for n in shared if not defects[n].in_mix]))
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
