"""Other spellings of the values that a tidy file would hold, and values that cannot be read.

Belongs here: expressions that turn the tidy text of a column into another text, and whether that
can be done without losing anything. Does not belong here: which record is spoilt
(`defect_injection`) and how often (`defects`).

The tidy texts are `2024-01-05T14:03:22` and `2024-01-05` for dates, `1234.50` for amounts, `true`
and `false`, and lower snake case for the rest. A spelling that depends on chance takes it from the
column `_chance`, a whole number.
"""

from collections.abc import Mapping, Sequence

import polars as pl

CHANCE = pl.col("_chance")
ZONES = (("+02:00", 120), ("-05:00", -300), ("+05:30", 330), ("+0100", 60), ("Z", 0))
# A byte that is not UTF-8 is kept as a character of the private use area until the file is encoded.
LATIN_1 = 0xE000
MISSING = (None, "NULL", "N/A", "-", "  ")

BOOLEANS = {
    "true": ("yes", "Yes", "YES", "y", "Y", "1", "TRUE", "True"),
    "false": ("no", "No", "NO", "n", "N", "0", "FALSE", "False"),
}
GENDERS = {
    "female": ("F", "f", "Female", "FEMALE", "w", "W", "Woman", "femme", "Mrs", "ms"),
    "male": ("M", "m", "Male", "MALE", "Man", "man", "homme", "Mr", "mr", "masc"),
    "other": ("Other", "OTHER", "x", "X", "o", "non-binary", "Diverse", "divers"),
}
PAYMENT_METHODS = {
    "credit_card": ("Credit Card", "CREDIT-CARD", "credit card", "CreditCard", "cc", "Visa"),
    "debit_card": ("Debit Card", "DEBIT-CARD", "debit card", "DebitCard", "Maestro"),
    "upi": ("UPI", "Upi", "UPI Payment"),
    "net_banking": ("Net Banking", "NET-BANKING", "netbanking", "Internet Banking"),
    "paypal": ("PayPal", "PAYPAL", "Paypal", "Pay Pal"),
    "cash_on_delivery": ("cod", "COD", "Cash on Delivery", "CASH-ON-DELIVERY", "cash"),
    "bank_transfer": ("Bank Transfer", "BANK-TRANSFER", "bank transfer", "Wire", "SEPA"),
    "gift_card": ("Gift Card", "GIFT-CARD", "gift card", "GiftCard", "Voucher"),
}
CURRENCIES_BEFORE = ("$", "£", "€", "₹", "USD ", "EUR ", "GBP ", "US$")
CURRENCIES_BEHIND = ("€", " €", " EUR", " GBP")
# What exports add to a value, and write instead of one.
GUARDS = (('="', '"'), ("'", ""))
NOTHINGS = (
    *(
        "\\N",
        "(null)",
        "[NULL]",
        "#N/A",
        "NaN",
        "None",
        "undefined",
        "nil",
        "<NA>",
        "n.a.",
        "\u2014",
    ),
)
INVISIBLE = ("\u200e", "\u200b", "\u202c", "\ufeff", "\x07", "\x1f")
ROUNDED_IDS = ("5.01235E+12", "1.23457E+15", "7,5E+09", "2.0E-05")
STATUSES = {
    "completed": (
        *("wc-completed", "Fulfilled", "PAID", "delivered", "abgeschlossen", "bezahlt"),
        *("payée", "livrée", "Pagado", "entregado", "partially_refunded"),
    ),
    "cancelled": (
        *("wc-cancelled", "Voided", "FAILED", "declined", "chargeback", "storniert"),
        *("abgelehnt", "annulée", "refusé", "Cancelado", "rechazado"),
    ),
    "refunded": (
        *("wc-refunded", "Refund", "RETURNED", "erstattet", "Gutschrift", "remboursée"),
        *("reembolsado", "devuelto"),
    ),
}
PENDING = ("on-hold", "wc-pending", "Awaiting payment", "authorized", "ausstehend", "en attente")
NOT_STATUSES = ("florp", "Stufe 3", "X7", "tbd", "partially cancelled")
NOT_DISCOUNTS = ("10%", "5 %", "SAVE10", "a tenth")
COUNTRIES = {
    "United Kingdom": ("UK", "GB", "GBR", "Great Britain", "united kingdom", "Großbritannien"),
    "United States": ("US", "USA", "U.S.A.", "United States of America", "Vereinigte Staaten"),
    "Germany": ("DE", "DEU", "Deutschland", "GERMANY", "Allemagne", "Alemania"),
    "France": ("FR", "FRA", "Frankreich", "france", "Francia"),
    "India": ("IN", "IND", "Indien", "Inde", "INDIA"),
}
# What stands before and behind an amount, and the currency that it names.
NAMED_CURRENCIES = (
    *(("CHF ", "", "CHF"), ("", " CHF", "CHF"), ("A$", "", "AUD"), ("R$ ", "", "BRL")),
    *(
        ("", " zł", "PLN"),
        ("", "USD", "USD"),
        ("EUR", "", "EUR"),
        ("₺", "", "TRY"),
        ("kr ", "", None),
    ),
)
MINUSES = (("\u2212", ""), ("\u2013", ""), ("- ", ""), ("", "-"))
NOT_AMOUNTS = ("abc", "twelve", "12/50", "1.2.3", "12..50")
NOT_MOMENTS = ("soon", "2024-13-45 25:61:00", "31/02/2024 10:00:00", "yesterday")


def one_of(texts: Sequence[str | None]) -> pl.Expr:
    """One of the texts."""
    return (CHANCE % len(texts)).replace_strict(dict(enumerate(texts)), return_dtype=pl.String)


def respelt(column: str, table: Mapping[str, Sequence[str]]) -> pl.Expr:
    """One of the other spellings that the table has for the value."""
    texts = {value: list(others) for value, others in table.items()}
    others = pl.col(column).replace_strict(texts, return_dtype=pl.List(pl.String))
    return others.list.get(CHANCE % others.list.len())


def tidy_moment(column: str) -> pl.Expr:
    """The tidy text read as a time on the shop's clock."""
    return pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us")


def tidy_instant(column: str) -> pl.Expr:
    """The same in UTC."""
    return tidy_moment(column) - pl.duration(seconds=pl.col(f"_ahead_{column}"))


def moment_written(column: str, *formats: str) -> pl.Expr:
    """The moment in one of the formats: in UTC, where it ends in Z."""
    said = [
        (tidy_instant(column) if form.endswith("Z") else tidy_moment(column)).dt.strftime(form)
        for form in formats
    ]
    return pl.concat_list(said).list.get(CHANCE % len(formats))


def day_written(column: str, *formats: str) -> pl.Expr:
    """A date without time in one of the formats."""
    day = pl.col(column).str.to_date("%Y-%m-%d")
    return pl.concat_list([day.dt.strftime(form) for form in formats]).list.get(
        CHANCE % len(formats)
    )


def is_full_minute(column: str) -> pl.Expr:
    """Whether the moment has no seconds that a shorter spelling would lose."""
    return pl.col(column).str.ends_with(":00")


def with_zone(column: str) -> pl.Expr:
    """The same moment as somebody in another zone writes it: `2024-01-05T16:03:22+02:00`."""
    zone = (CHANCE % len(ZONES)).cast(pl.Int64)
    minutes = zone.replace_strict({i: shift for i, (_, shift) in enumerate(ZONES)})
    suffix = zone.replace_strict({i: text for i, (text, _) in enumerate(ZONES)})
    there = tidy_instant(column) + pl.duration(minutes=minutes)
    return there.dt.strftime("%Y-%m-%dT%H:%M:%S") + suffix


def epoch(column: str) -> pl.Expr:
    """Seconds since 1970: `1704463402`."""
    return tidy_instant(column).dt.epoch("s").cast(pl.String)


def epoch_milliseconds(column: str) -> pl.Expr:
    """Milliseconds since 1970: `1704463402000`."""
    return tidy_instant(column).dt.epoch("ms").cast(pl.String)


def has_long_epoch(column: str) -> pl.Expr:
    """Whether the seconds have ten digits (from 2001-09-09 on): eight would look like YYYYMMDD."""
    return epoch(column).str.len_chars() == 10


def ahead(column: str) -> pl.Expr:
    """The moment by a clock that is weeks ahead, so that it is future when the file is resent."""
    return (tidy_moment(column) + pl.duration(days=15 + CHANCE % 400)).dt.strftime(
        "%Y-%m-%dT%H:%M:%S"
    )


def with_thousands(column: str) -> pl.Expr:
    """`1,234.50`."""
    groups = pl.col(column).str.replace(r"(\d)(\d{3})(\d{3}\.)", "$1,$2,$3")
    return groups.str.replace(r"(\d)(\d{3}\.)", "$1,$2")


def european(column: str) -> pl.Expr:
    """`1.234,50`."""
    return with_thousands(column).str.replace_many([",", "."], [".", ","])


def is_thousands(column: str) -> pl.Expr:
    """Whether there is a thousand to separate."""
    return pl.col(column).str.contains(r"\d{4}\.")


def with_currency(column: str) -> pl.Expr:
    """`$12.30`, `12.30 €` and the like."""
    before, behind = len(CURRENCIES_BEFORE), len(CURRENCIES_BEHIND)
    signs = [*CURRENCIES_BEFORE, *[""] * behind], [*[""] * before, *CURRENCIES_BEHIND]
    return one_of(signs[0]) + pl.col(column) + one_of(signs[1])


def with_comma(column: str) -> pl.Expr:
    """`12,30`."""
    return pl.col(column).str.replace(".", ",", literal=True)


def between(column: str, pairs: Sequence[tuple[str, str]]) -> pl.Expr:
    """The text with one of the pairs before and behind it."""
    before, behind = zip(*pairs, strict=True)
    return one_of(before) + pl.col(column) + one_of(behind)


def with_named_currency(column: str) -> pl.Expr:
    """`CHF 12.30`, `12.30 zł` and the like."""
    return between(column, [(before, behind) for before, behind, _ in NAMED_CURRENCIES])


def with_other_minus(column: str) -> pl.Expr:
    """`−12.30`, `12.30-` and the like, from a negative amount."""
    before, behind = zip(*MINUSES, strict=True)
    return one_of(before) + pl.col(column).str.strip_prefix("-") + one_of(behind)


def with_invisible(column: str) -> pl.Expr:
    """The text with a character in it that nobody sees."""
    return pl.col(column).str.slice(0, 3) + one_of(INVISIBLE) + pl.col(column).str.slice(3)


def with_whole_decimal(column: str) -> pl.Expr:
    """`1234.0`, as a program writes an id that it takes for a number."""
    return pl.col(column) + pl.lit(".0")


def with_fraction(column: str) -> pl.Expr:
    """A whole number and a part of one: `2.5`."""
    return pl.col(column) + one_of((".5", ".25", ",75"))


def in_parentheses(column: str) -> pl.Expr:
    """`(12.30)`, from a negative amount."""
    return pl.lit("(") + pl.col(column).str.strip_prefix("-") + pl.lit(")")


def is_negative(column: str) -> pl.Expr:
    """Whether the amount begins with a minus."""
    return pl.col(column).str.starts_with("-")


def hundredfold(column: str) -> pl.Expr:
    """The amount without its decimal point: `123450` for `1234.50`."""
    return pl.col(column).str.replace(".", "", literal=True).str.strip_chars_start("0")


def mistyped(column: str) -> pl.Expr:
    """Another amount, from 1 to 9 units more."""
    units = pl.col(column).str.head(-3).cast(pl.Int64) + 1 + CHANCE % 9
    return units.cast(pl.String) + pl.col(column).str.tail(3)


def one_more(column: str) -> pl.Expr:
    """A whole number and one."""
    return (pl.col(column).cast(pl.Int64) + 1).cast(pl.String)


def shouted(column: str) -> pl.Expr:
    """In capitals."""
    return pl.col(column).str.to_uppercase()


def with_blanks(column: str) -> pl.Expr:
    """Blanks around it."""
    return pl.lit("  ") + pl.col(column) + pl.lit(" ")


def as_latin_1(column: str) -> pl.Expr:
    """The text as a file has it that was written in Latin-1 and is read as UTF-8."""
    letters = [chr(code) for code in range(0xC0, 0x100)]
    return pl.col(column).str.replace_many(
        letters, [chr(LATIN_1 + ord(letter)) for letter in letters]
    )


def has_latin_1(column: str) -> pl.Expr:
    """Whether there is a letter that Latin-1 writes as one byte and UTF-8 as two."""
    return pl.col(column).str.contains("[À-ÿ]")


def with_stray_byte(column: str) -> pl.Expr:
    """The text with a byte in it that is not UTF-8."""
    return pl.col(column) + pl.lit(chr(LATIN_1 + 0xE9))
