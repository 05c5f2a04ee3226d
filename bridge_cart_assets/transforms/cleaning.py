"""Records in the contract's columns -> typed, valid records, and refused ones with a reason.

Belongs here: the valid values of each column and the words for them (payment methods, genders),
defaults, and the order of the reasons. Does not belong here: how dates, amounts, booleans and phone
numbers are written (`parsing`, `phones`), or which of several records of one key stands
(`folding`).
"""

from dataclasses import dataclass

import polars as pl

from bridge_cart_assets.tables.columns import MONEY
from bridge_cart_assets.transforms import parsing
from bridge_cart_assets.transforms.phones import e164

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
_STATUSES = {
    "completed": ("completed", "complete", "done", "paid", "delivered", "ok"),
    "refunded": ("refunded", "refund", "returned", "return"),
    "cancelled": ("cancelled", "canceled", "cancel", "void"),
}
_MAX_AGE = 120
_ORIGIN = ("batch_day", "object", "pos", "fingerprint", "item")
_PROVENANCE = {
    "source": pl.col("_source"),
    "batch_day": pl.col("_batch_day"),
    "object": pl.col("_object"),
    "pos": pl.col("_pos"),
    "fingerprint": pl.col("_fingerprint"),
    "item": pl.col("_item"),
}


@dataclass(frozen=True)
class Cleaned:
    """Valid and refused records.

    Attributes:
        accepted: typed records, one row per record.
        refused: source, batch_day, object, pos, fingerprint, reason, column, value.
    """

    accepted: pl.DataFrame
    refused: pl.DataFrame


def clean_purchases(records: pl.LazyFrame) -> Cleaned:
    """Clean order lines.

    Args:
        records: the contract's purchase columns as strings, and the provenance columns.

    Returns:
        accepted: the columns of silver/purchases. Amounts are rounded half up to cents before
        net_amount and kind are derived. version_at is updated_at, or else purchase_date.

    >>> from bridge_cart_assets.tables.raw import raw_table
    >>> columns = (
    ...     "order_id line_number customer_id purchase_date purchase_amount discount_amount "
    ...     "coupon_used payment_method product_category quantity status updated_at"
    ... )
    >>> raw = raw_table("purchases", dict.fromkeys(columns.split(), ""))
    >>> line = {"order_id": "O1", "customer_id": "C1", "purchase_date": "31/01/2024"}
    >>> lines = [{**line, "purchase_amount": amount} for amount in ("10.005", "-5")]
    >>> cleaned = clean_purchases(pl.LazyFrame(lines, schema=raw.dtypes))
    >>> cleaned.accepted.select("net_amount", "quantity", "kind").rows()
    [(Decimal('10.01'), 1, 'sale')]
    >>> cleaned.refused.select("reason", "column", "value").rows()
    [('NON_POSITIVE_AMOUNT', 'purchase_amount', '-5')]
    """
    read = records.select(
        **_PROVENANCE,
        order_id=parsing.present(pl.col("order_id")),
        customer_id=parsing.present(pl.col("customer_id")),
        line_number=parsing.parse_whole(pl.col("line_number")),
        purchase_date=parsing.parse_moment(pl.col("purchase_date")),
        purchase_amount=parsing.parse_amount(pl.col("purchase_amount")),
        discount_amount=parsing.parse_amount(pl.col("discount_amount")),
        coupon_used=parsing.parse_flag(pl.col("coupon_used")),
        payment_method=_one_of(_PAYMENT_METHODS, pl.col("payment_method"), keep_others=True),
        product_category=parsing.tidy(pl.col("product_category")),
        quantity=parsing.parse_whole(pl.col("quantity")),
        status=_one_of(_STATUSES, pl.col("status")),
        updated_at=parsing.parse_moment(pl.col("updated_at")),
        **_received("order_id", "customer_id", "purchase_date", "purchase_amount"),
        **_received("discount_amount", "quantity", "line_number", "coupon_used", "status"),
        **_received("updated_at", "product_category", "payment_method"),
    ).with_columns(
        unreadable=_unreadable(
            *("line_number", "discount_amount", "coupon_used", "status", "updated_at"),
            "payment_method",
        ),
        line_number=pl.col("line_number").fill_null(1),
        discount_amount=pl.col("discount_amount").fill_null(pl.lit(0).cast(MONEY)),
        coupon_used=pl.col("coupon_used").fill_null(False),
        payment_method=pl.col("payment_method").fill_null("unknown"),
        product_category=pl.col("product_category").fill_null("unknown"),
        quantity=pl.when(_missing("quantity")).then(1).otherwise("quantity"),
        status=pl.col("status").fill_null("completed"),
        purchase_day=pl.col("purchase_date").dt.date(),
    )
    derived = read.with_columns(
        net_amount=(pl.col("purchase_amount") - pl.col("discount_amount")).cast(MONEY),
        purchase_month=pl.col("purchase_date").dt.strftime("%Y-%m"),
        kind=_kind(),
        version_at=pl.coalesce("updated_at", "purchase_date"),
    )
    return _split_valid_invalid(derived, _purchase_reasons(), _PURCHASE_COLUMNS)


def clean_customers(records: pl.LazyFrame) -> Cleaned:
    """Clean profile records.

    Args:
        records: the contract's customer columns as strings, and the provenance columns.

    Returns:
        accepted: the columns of silver/customers without valid_to and is_current. valid_from is
        updated_at, or else the start of the batch day.

    >>> from bridge_cart_assets.tables.raw import raw_table
    >>> columns = "customer_id name email mobile gender age income city country signup_date"
    >>> raw = raw_table("customers", dict.fromkeys([*columns.split(), "updated_at"], ""))
    >>> profiles = [{"customer_id": "C1", "gender": "F", "age": "130"}, {"customer_id": "n/a"}]
    >>> cleaned = clean_customers(pl.LazyFrame(profiles, schema=raw.dtypes))
    >>> cleaned.accepted.select("gender", "age", "unreadable").rows()
    [('female', None, 'age')]
    >>> cleaned.refused.select("reason", "value").rows()
    [('MISSING_CUSTOMER_ID', 'n/a')]
    """
    country = parsing.tidy(pl.col("country"))
    email = parsing.present(pl.col("email")).str.to_lowercase()
    age = parsing.parse_whole(pl.col("age"))
    income = parsing.parse_amount(pl.col("income"))
    read = records.select(
        **_PROVENANCE,
        customer_id=parsing.present(pl.col("customer_id")),
        name=parsing.tidy(pl.col("name")),
        email=pl.when(email.str.contains(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")).then(email),
        mobile=e164(parsing.present(pl.col("mobile")), country),
        gender=_one_of(_GENDERS, pl.col("gender")),
        age=pl.when(age.is_between(0, _MAX_AGE)).then(age),
        income=pl.when(income >= 0).then(income),
        city=parsing.tidy(pl.col("city")),
        country=country,
        signup_date=parsing.parse_moment(pl.col("signup_date")).dt.date(),
        updated_at=parsing.parse_moment(pl.col("updated_at")),
        **_received("customer_id", "email", "mobile", "gender", "age", "income"),
        **_received("signup_date", "updated_at"),
    )
    start = pl.col("batch_day").cast(pl.Datetime("us", "UTC"))
    derived = read.with_columns(
        unreadable=_unreadable(
            "email", "mobile", "gender", "age", "income", "signup_date", "updated_at"
        ),
        gender=pl.col("gender").fill_null("unknown"),
        valid_from=pl.coalesce("updated_at", start),
        version_at=pl.coalesce("updated_at", start),
    )
    reasons = [("MISSING_CUSTOMER_ID", "customer_id", pl.col("customer_id").is_null())]
    return _split_valid_invalid(derived, reasons, _CUSTOMER_COLUMNS)


_PURCHASE_COLUMNS = (
    "source",
    "order_id",
    "line_number",
    "customer_id",
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
    "unreadable",
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
    "valid_from",
    "version_at",
    *_ORIGIN,
)


def _kind() -> pl.Expr:
    undone = pl.col("status").is_in(["cancelled", "refunded"]) & (pl.col("purchase_amount") > 0)
    return (
        pl.when(undone)
        .then(pl.lit("cancelled"))
        .when(pl.col("purchase_amount") < 0)
        .then(pl.lit("refund"))
        .otherwise(pl.lit("sale"))
    )


def _purchase_reasons() -> list[tuple[str, str, pl.Expr]]:
    """Reason, column to blame and condition; the first that holds is the record's reason."""
    amount, discount = pl.col("purchase_amount"), pl.col("discount_amount")
    too_late = pl.col("purchase_day") > pl.col("batch_day") + pl.duration(days=1)
    on_completed = (amount < 0) & (pl.col("status") == "completed")
    above_sale = (pl.col("kind") == "sale") & (discount > amount)
    return [
        ("MISSING_ORDER_ID", "order_id", pl.col("order_id").is_null()),
        ("MISSING_CUSTOMER_ID", "customer_id", pl.col("customer_id").is_null()),
        ("MISSING_DATE", "purchase_date", _missing("purchase_date")),
        ("BAD_DATE", "purchase_date", pl.col("purchase_date").is_null()),
        ("FUTURE_DATE", "purchase_date", too_late),
        ("MISSING_AMOUNT", "purchase_amount", _missing("purchase_amount")),
        ("BAD_AMOUNT", "purchase_amount", amount.is_null()),
        ("NON_POSITIVE_AMOUNT", "purchase_amount", (amount == 0) | on_completed),
        ("BAD_DISCOUNT", "discount_amount", (discount < 0) | above_sale),
        ("BAD_QUANTITY", "quantity", pl.col("quantity").is_null() | (pl.col("quantity") == 0)),
    ]


def _split_valid_invalid(
    records: pl.LazyFrame, reasons: list[tuple[str, str, pl.Expr]], columns: tuple[str, ...]
) -> Cleaned:
    verdict = pl.coalesce(
        pl.when(condition).then(pl.lit(reason)) for reason, _, condition in reasons
    )
    validated = records.with_columns(reason=verdict).collect()
    offending_column = {reason: column for reason, column, _ in reasons}
    refused = validated.filter(pl.col("reason").is_not_null()).with_columns(
        column=pl.col("reason").replace_strict(offending_column, return_dtype=pl.String)
    )
    value = pl.coalesce(
        pl.when(pl.col("column") == column).then(pl.col(f"{column}_received"))
        for column in dict.fromkeys(offending_column.values())
    )
    return Cleaned(
        accepted=validated.filter(pl.col("reason").is_null()).select(columns),
        refused=refused.select(
            "source", *_ORIGIN, "reason", "column", value.cast(pl.String).alias("value")
        ),
    )


def _received(*columns: str) -> dict[str, pl.Expr]:
    return {f"{name}_received": pl.col(name) for name in columns}


def _missing(column: str) -> pl.Expr:
    return parsing.present(pl.col(f"{column}_received")).is_null()


def _unreadable(*columns: str) -> pl.Expr:
    """Names of the columns with an unreadable value."""
    names = pl.concat_str(
        [
            pl.when(~_missing(c) & pl.col(c).is_null()).then(pl.lit(c)).otherwise(pl.lit(None))
            for c in columns
        ],
        separator=",",
        ignore_nulls=True,
    )
    return pl.when(names != "").then(names)


def _one_of(
    spellings: dict[str, tuple[str, ...]], text: pl.Expr, *, keep_others: bool = False
) -> pl.Expr:
    """The canonical word for any of its spellings; others are null, or kept in snake_case."""
    canonical = {s: word for word, others in spellings.items() for s in (word, *others)}
    words = parsing.snake(text)
    found = words.replace_strict(canonical, default=None, return_dtype=pl.String)
    return pl.coalesce(found, words) if keep_others else found
