"""Records in the contract's columns -> typed, valid records, and refused ones with a reason.

Belongs here: the valid values of each column and the words for them (payment methods, genders),
defaults, and the order of the reasons. Does not belong here: how values are written (`ids`,
`dates`, `amounts`, `statuses`, `countries`, `phones`, `parsing`), or which of several records of
one key stands (`folding`).

A default or a guess never decides about money silently: what cannot be read of an amount, a
discount, a quantity or a status refuses the line, and a reading that was a guess is named.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from bridge_cart_assets.tables.columns import MONEY, QUANTITY
from bridge_cart_assets.tables.raw import is_of_file
from bridge_cart_assets.transforms import parsing
from bridge_cart_assets.transforms.addresses import address_key, read_email
from bridge_cart_assets.transforms.amounts import read_amounts, read_numbers, read_wholes
from bridge_cart_assets.transforms.countries import read_countries
from bridge_cart_assets.transforms.currencies import read_currencies
from bridge_cart_assets.transforms.dates import Order, read_moments
from bridge_cart_assets.transforms.folding import EMPTY
from bridge_cart_assets.transforms.ids import is_id, tidy_id
from bridge_cart_assets.transforms.local_time import end_of_day, on_clock, start_of_day
from bridge_cart_assets.transforms.phones import e164
from bridge_cart_assets.transforms.statuses import names_refund, read_status

_PAYMENT_METHODS = {
    "credit_card": ("credit", "creditcard", "cc", "visa", "mastercard", "amex"),
    "debit_card": ("debit", "debitcard", "dc", "maestro"),
    "upi": ("upi_payment", "unified_payments_interface"),
    "net_banking": ("netbanking", "internet_banking", "online_banking", "nb"),
    "paypal": ("pay_pal", "pp"),
    "cash_on_delivery": ("cod", "cash", "c_o_d", "pay_on_delivery"),
    "bank_transfer": ("banktransfer", "wire", "wire_transfer", "transfer", "sepa"),
    "gift_card": ("giftcard", "voucher", "gift_voucher"),
    "unknown": ("unknown",),
}
_GENDERS = {
    "female": ("f", "female", "w", "woman", "fem", "weiblich", "femme", "mrs", "ms", "girl"),
    "male": ("m", "male", "man", "masc", "männlich", "homme", "mr", "boy"),
    "other": ("o", "other", "x", "non_binary", "nonbinary", "nb", "diverse", "divers", "d"),
    "unknown": ("unknown", "u", "not_specified", "unspecified", "prefer_not_to_say"),
}
_MAX_AGE = 120
_NO_AMOUNT = pl.lit(None, MONEY)
_ORIGIN = ("batch_day", "object", "pos", "fingerprint", "item")
_PROVENANCE = {
    "source": pl.col("_source"),
    "batch_day": pl.col("_batch_day"),
    "object": pl.col("_object"),
    "pos": pl.col("_pos"),
    "fingerprint": pl.col("_fingerprint"),
    "item": pl.col("_item"),
}
# A message is read by itself, so that no other one decides how.
_FILE = pl.when(is_of_file(pl.col("_fingerprint"))).then("_fingerprint")


@dataclass(frozen=True)
class Cleaned:
    """Valid and refused records.

    Attributes:
        accepted: typed records, one row per record.
        refused: source, batch_day, object, pos, fingerprint, item, reason, column, value, amount
            (of the line before discount, where it could be read).
    """

    accepted: pl.DataFrame
    refused: pl.DataFrame


def clean_purchases(
    records: pl.LazyFrame,
    dates: Order | None = None,
    currency: str | None = None,
    zone: str = "UTC",
    hash_key: bytes | None = None,
) -> Cleaned:
    """Clean order lines.

    Args:
        records: the contract's purchase columns as strings, and the provenance columns.
            `_status_filled`, if it is there, says that the status is of another line of the order;
            `_guessed` names columns that the source read by a guess; `_is_empty` marks an order
            that came without a line.
        dates: whether the day or the month comes first where a file leaves it open.
        currency: the shop's currency. A line that names another one is refused, and signs that
            several currencies have mean this one.
        zone: the shop's time zone, whose days these are.
        hash_key: the key by which addresses are hashed; without one, addresses do not count.

    Returns:
        accepted: the columns of silver/purchases, customer_id as received. Amounts are rounded half
        up to cents before net_amount and kind are derived. version_at is updated_at, or else the
        end of the batch day.
        An order without a line is one row of kind `empty`, which is no line: the fold needs it.

    >>> from bridge_cart_assets.tables.raw import raw_table
    >>> columns = (
    ...     "order_id line_number customer_id purchase_date purchase_amount discount_amount "
    ...     "coupon_used payment_method product_category quantity status updated_at"
    ... )
    >>> raw = raw_table("purchases", dict.fromkeys(columns.split(), ""))
    >>> line = {"order_id": "O1", "purchase_date": "31/01/2024", "status": "paid"}
    >>> lines = [{**line, "purchase_amount": amount} for amount in ("10.005", "-5")]
    >>> schema = raw.dtypes | {"_item": pl.Int64, "currency": pl.String}
    >>> cleaned = clean_purchases(pl.LazyFrame(lines, schema=schema))
    >>> cleaned.accepted.select("net_amount", "customer_id", "kind").rows()
    [(Decimal('10.01'), None, 'sale')]
    >>> cleaned.refused.select("reason", "column", "value").rows()
    [('NON_POSITIVE_AMOUNT', 'purchase_amount', '-5')]
    """
    optional = {
        **dict.fromkeys(("_guessed", "email"), pl.String),
        **dict.fromkeys(("_status_filled", "_is_empty"), pl.Boolean),
    }
    received = _with_all(records, optional)
    coin = pl.col("currency")
    read = received.select(
        **_PROVENANCE,
        **_received(_PURCHASE_TEXTS),
        order_id=tidy_id(pl.col("order_id")),
        customer_id=tidy_id(pl.col("customer_id")),
        email=read_email(pl.col("email")),
        line_number=read_wholes(pl.col("line_number")),
        purchase_date=read_moments(pl.col("purchase_date"), _FILE, dates, zone),
        purchase_amount=read_amounts(pl.col("purchase_amount"), _FILE, coin, currency),
        discount_amount=read_amounts(pl.col("discount_amount"), _FILE, coin, currency),
        coupon_used=parsing.parse_flag(pl.col("coupon_used")),
        payment_method=_one_of(_PAYMENT_METHODS, pl.col("payment_method"), keep_others=True),
        product_category=parsing.tidy(pl.col("product_category")),
        quantity=read_numbers(pl.col("quantity"), _FILE),
        status=read_status(pl.col("status")),
        updated_at=read_moments(pl.col("updated_at"), _FILE, dates, zone),
        currency=read_currencies(coin, currency),
        is_own_status=~pl.col("_status_filled").fill_null(False),
        is_of_refund=names_refund(pl.col("status")).fill_null(False),
        guessed_before=pl.col("_guessed"),
        is_empty=pl.col("_is_empty").fill_null(False),
    )
    guesses = ("purchase_date", "purchase_amount", "discount_amount", "quantity", "updated_at")
    typed = read.with_columns(
        guessed=_guessed(guesses, pl.col("guessed_before")),
        currency=pl.coalesce("currency", pl.col("purchase_amount").struct.field("currency")),
        **{name: pl.col(name).struct.field("value") for name in guesses},
    ).with_columns(
        quantity=pl.col("quantity")
        .round(3, mode="half_away_from_zero")
        .cast(QUANTITY, strict=False),
        updated_at=_not_from_the_future("updated_at", zone),
        purchase_day=on_clock(pl.col("purchase_date"), zone).dt.date(),
        # Of an order that is refunded in part, the negative line is the refund.
        is_completed=pl.col("is_own_status")
        & ~pl.col("is_of_refund")
        & (pl.col("status") == "completed").fill_null(False),
    )
    derived = (
        typed.with_columns(
            unreadable=_unreadable(
                "coupon_used", "updated_at", "payment_method", "currency", "email"
            ),
            email_key=address_key(pl.col("email"), hash_key),
            line_number=_or_default("line_number", pl.lit(1, pl.Int64)),
            coupon_used=pl.col("coupon_used").fill_null(False),
            payment_method=pl.col("payment_method").fill_null("unknown"),
            product_category=pl.col("product_category").fill_null("unknown"),
            quantity=_or_default("quantity", pl.lit(1).cast(QUANTITY)),
            status=_or_default("status", pl.lit("completed")),
            discount_amount=_or_default("discount_amount", pl.lit(0).cast(MONEY)),
            version_at=pl.coalesce("updated_at", end_of_day(pl.col("batch_day"), zone)),
            purchase_month=_month(pl.col("purchase_day")),
        )
        .with_columns(purchase_amount=_moved_amount())
        .with_columns(discount_amount=_as_the_amount(pl.col("discount_amount")))
        .with_columns(
            net_amount=(pl.col("purchase_amount") - pl.col("discount_amount")).cast(MONEY)
        )
        .with_columns(kind=_kind())
    )
    return _split_valid_invalid(
        derived, _purchase_reasons(currency), _PURCHASE_COLUMNS, pl.col("purchase_amount")
    )


def clean_customers(
    records: pl.LazyFrame, dates: Order | None = None, zone: str = "UTC"
) -> Cleaned:
    """Clean profile records.

    Args:
        records: the contract's customer columns as strings, and the provenance columns.
        dates: whether the day or the month comes first where a file leaves it open.
        zone: the shop's time zone, whose days these are.

    Returns:
        accepted: the columns of silver/customers without valid_to and is_current. valid_from is
        updated_at, or else the start of the batch day.

    >>> from bridge_cart_assets.tables.raw import raw_table
    >>> columns = "customer_id name email mobile gender age income city country signup_date"
    >>> raw = raw_table("customers", dict.fromkeys([*columns.split(), "updated_at"], ""))
    >>> profiles = [{"customer_id": "C1", "country": "UK", "age": "130"}, {"customer_id": "n/a"}]
    >>> schema = raw.dtypes | {"_item": pl.Int64}
    >>> cleaned = clean_customers(pl.LazyFrame(profiles, schema=schema))
    >>> cleaned.accepted.select("country", "age", "unreadable").rows()
    [('United Kingdom', None, 'age')]
    >>> cleaned.refused.select("reason", "value").rows()
    [('MISSING_CUSTOMER_ID', 'n/a')]
    """
    age = read_wholes(pl.col("age"))
    read = records.select(
        **_PROVENANCE,
        **_received(_CUSTOMER_TEXTS),
        customer_id=tidy_id(pl.col("customer_id")),
        name=parsing.tidy(pl.col("name")),
        email=read_email(pl.col("email")),
        gender=_one_of(_GENDERS, pl.col("gender")),
        age=pl.when(age.is_between(0, _MAX_AGE)).then(age),
        income=read_amounts(pl.col("income"), _FILE),
        city=parsing.tidy(pl.col("city")),
        country=read_countries(pl.col("country"), _FILE),
        signup_date=read_moments(pl.col("signup_date"), _FILE, dates, zone),
        updated_at=read_moments(pl.col("updated_at"), _FILE, dates, zone),
    )
    guesses = ("income", "signup_date", "updated_at")
    typed = read.with_columns(
        guessed=_guessed(guesses),
        **{name: pl.col(name).struct.field("value") for name in guesses},
    ).with_columns(
        mobile=e164(pl.col("mobile_text"), pl.col("country")),
        income=pl.when(pl.col("income") >= 0).then("income"),
        signup_date=on_clock(pl.col("signup_date"), zone).dt.date(),
        updated_at=_not_from_the_future("updated_at", zone),
    )
    derived = typed.with_columns(
        unreadable=_unreadable(
            "email", "mobile", "gender", "age", "income", "signup_date", "updated_at"
        ),
        gender=pl.col("gender").fill_null("unknown"),
        valid_from=pl.coalesce("updated_at", start_of_day(pl.col("batch_day"), zone)),
        version_at=pl.coalesce("updated_at", end_of_day(pl.col("batch_day"), zone)),
    )
    reasons = [
        ("MISSING_CUSTOMER_ID", "customer_id", pl.col("customer_id").is_null()),
        ("BAD_CUSTOMER_ID", "customer_id", ~is_id(pl.col("customer_id"))),
    ]
    return _split_valid_invalid(derived, reasons, _CUSTOMER_COLUMNS)


_PURCHASE_TEXTS = (
    *("order_id", "customer_id", "line_number", "purchase_date", "purchase_amount"),
    *("discount_amount", "quantity", "status", "coupon_used", "updated_at", "payment_method"),
    *("currency", "email"),
)
_CUSTOMER_TEXTS = (
    *("customer_id", "email", "mobile", "gender", "age", "income", "signup_date", "updated_at"),
)
_PURCHASE_COLUMNS = (
    "source",
    "order_id",
    "line_number",
    "customer_id",
    "email_key",
    "purchase_date",
    "purchase_day",
    "purchase_month",
    "purchase_amount",
    "discount_amount",
    "net_amount",
    "quantity",
    "coupon_used",
    "payment_method",
    "product_category",
    "kind",
    "currency",
    "unreadable",
    "guessed",
    "version_at",
    *_ORIGIN,
)
_CUSTOMER_COLUMNS = (
    "customer_id",
    "source",
    "name",
    "email",
    "mobile",
    "gender",
    "age",
    "income",
    "city",
    "country",
    "signup_date",
    "unreadable",
    "guessed",
    "valid_from",
    "version_at",
    *_ORIGIN,
)


def _with_all(records: pl.LazyFrame, columns: dict[str, type[pl.DataType]]) -> pl.LazyFrame:
    """The records with columns that not every caller has."""
    known = records.collect_schema().names()
    return records.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in columns.items() if name not in known
    )


def _moved_amount() -> pl.Expr:
    """The amount that the line moves: money or goods that go back are below zero."""
    amount = pl.col("purchase_amount")
    return pl.when(pl.col("quantity") < 0).then(-amount.abs()).otherwise(amount)


def _as_the_amount(discount: pl.Expr) -> pl.Expr:
    """A discount reduces what the line moves: it has the amount's sign, however it was written."""
    size = discount.abs()
    return pl.when(pl.col("purchase_amount") < 0).then(-size).otherwise(size)


def _kind() -> pl.Expr:
    """The first that holds."""
    amount, status = pl.col("purchase_amount"), pl.col("status")
    is_undone = status.is_in(["cancelled", "refunded"]) & (amount > 0)
    return (
        pl.when("is_empty")
        .then(pl.lit(EMPTY))
        .when(is_undone)
        .then(pl.lit("cancelled"))
        .when(status == "pending")
        .then(pl.lit("pending"))
        .when(pl.col("net_amount") == 0)
        .then(pl.lit("free"))
        .when(amount < 0)
        .then(pl.lit("refund"))
        .otherwise(pl.lit("sale"))
    )


def _purchase_reasons(currency: str | None) -> list[tuple[str, str, pl.Expr]]:
    """Reason, column to blame and condition; the first that holds is the record's reason."""
    amount, discount, quantity = (
        pl.col(name) for name in ("purchase_amount", "discount_amount", "quantity")
    )
    number = pl.col("line_number")
    is_too_late = pl.col("purchase_day") > pl.col("batch_day") + pl.duration(days=1)
    # A completed sale has no negative amount; a line that gives back has another status, or none.
    is_other = pl.lit(False) if not currency else (pl.col("currency") != currency)
    is_contradicted = (amount < 0) & ~(quantity < 0) & pl.col("is_completed")
    return [
        ("MISSING_ORDER_ID", "order_id", pl.col("order_id").is_null()),
        ("BAD_ORDER_ID", "order_id", ~is_id(pl.col("order_id"))),
        ("BAD_CUSTOMER_ID", "customer_id", ~is_id(pl.col("customer_id"))),
        ("BAD_LINE_NUMBER", "line_number", number.is_null() | (number < 1)),
        ("MISSING_DATE", "purchase_date", _missing("purchase_date")),
        ("BAD_DATE", "purchase_date", pl.col("purchase_date").is_null()),
        ("FUTURE_DATE", "purchase_date", is_too_late),
        ("MISSING_AMOUNT", "purchase_amount", _missing("purchase_amount")),
        ("BAD_AMOUNT", "purchase_amount", amount.is_null()),
        ("BAD_STATUS", "status", pl.col("status").is_null()),
        ("NON_POSITIVE_AMOUNT", "purchase_amount", is_contradicted.fill_null(False)),
        ("BAD_DISCOUNT", "discount_amount", discount.is_null() | (discount.abs() > amount.abs())),
        ("BAD_QUANTITY", "quantity", quantity.is_null() | (quantity == 0)),
        ("OTHER_CURRENCY", "currency", is_other.fill_null(False)),
    ]


def _split_valid_invalid(
    records: pl.LazyFrame,
    reasons: list[tuple[str, str, pl.Expr]],
    columns: tuple[str, ...],
    amount: pl.Expr = _NO_AMOUNT,
) -> Cleaned:
    verdict = pl.coalesce(
        pl.when(condition).then(pl.lit(reason)) for reason, _, condition in reasons
    )
    offending_column = {reason: column for reason, column, _ in reasons}
    blamed = dict.fromkeys(offending_column.values())
    # Of all columns on the way there only what is looked at below is kept.
    validated = records.select(
        *columns,
        amount.alias("_amount"),
        *(f"{column}_received" for column in blamed),
        reason=verdict,
    ).collect()
    is_refused = validated["reason"].is_not_null()
    refused = validated.filter(is_refused).with_columns(
        column=pl.col("reason").replace_strict(offending_column, return_dtype=pl.String)
    )
    value = pl.coalesce(
        pl.when(pl.col("column") == column).then(pl.col(f"{column}_received")) for column in blamed
    )
    accepted = validated.select(columns)
    return Cleaned(
        accepted=accepted.filter(~is_refused) if refused.height else accepted,
        refused=refused.select(
            "source",
            *_ORIGIN,
            "reason",
            "column",
            value.cast(pl.String).alias("value"),
            amount="_amount",
        ),
    )


def _received(columns: Iterable[str]) -> dict[str, pl.Expr]:
    """The columns as they were received, and what is present of them."""
    received = {f"{name}_received": pl.col(name) for name in columns}
    return received | {f"{name}_text": parsing.present(pl.col(name)) for name in columns}


def _missing(column: str) -> pl.Expr:
    return pl.col(f"{column}_text").is_null()


def _or_default(column: str, default: pl.Expr) -> pl.Expr:
    """The default where nothing is there; a value that could not be read stays null."""
    return pl.when(_missing(column)).then(default).otherwise(column)


def _not_from_the_future(column: str, zone: str) -> pl.Expr:
    """Null when it is later than the day after the batch day."""
    last = pl.col("batch_day") + pl.duration(days=1)
    return pl.when(on_clock(pl.col(column), zone).dt.date() <= last).then(column)


def _unreadable(*columns: str) -> pl.Expr:
    """Names of the columns with an unreadable value."""
    return _names({name: ~_missing(name) & pl.col(name).is_null() for name in columns})


def _guessed(columns: Iterable[str], before: pl.Expr | None = None) -> pl.Expr:
    """Names of the columns whose reading was a guess, here or at the source before."""
    conditions = {name: pl.col(name).struct.field("guessed") for name in columns}
    if before is not None:
        conditions = {
            name: holds | before.str.contains(name, literal=True).fill_null(False)
            for name, holds in conditions.items()
        }
        conditions["status"] = before.str.contains("status", literal=True).fill_null(False)
    return _names(conditions)


def _names(conditions: dict[str, pl.Expr]) -> pl.Expr:
    """Names of the columns for which a condition holds, with commas; null without any."""
    # One number says which of them hold, and has its text in a list of all.
    number = pl.sum_horizontal(
        pl.when(holds).then(1 << place).otherwise(0)
        for place, holds in enumerate(conditions.values())
    ).cast(pl.UInt32)
    texts = [
        ",".join(name for place, name in enumerate(conditions) if held >> place & 1) or None
        for held in range(1 << len(conditions))
    ]
    return number.replace_strict(
        list(range(len(texts))), texts, default=None, return_dtype=pl.String
    )


def _month(day: pl.Expr) -> pl.Expr:
    return parsing.each_distinct(day, lambda days: days.dt.strftime("%Y-%m"), pl.String)


def _one_of(
    spellings: dict[str, tuple[str, ...]], text: pl.Expr, *, keep_others: bool = False
) -> pl.Expr:
    """The canonical word for any of its spellings; others are null, or kept in snake_case."""
    canonical = {s: word for word, others in spellings.items() for s in (word, *others)}
    words = parsing.snake(text)
    found = words.replace_strict(canonical, default=None, return_dtype=pl.String)
    return pl.coalesce(found, words) if keep_others else found
