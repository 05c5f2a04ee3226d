"""Phone numbers in any format -> E.164, with the numbering plans of the phonenumbers library.

Belongs here: reading phone numbers. Does not belong here: names of countries (`countries`) or
other columns (`cleaning`).
"""

from typing import TYPE_CHECKING

import polars as pl

from bridge_cart_assets.transforms.countries import territory

_ROUNDED = r"^\s*[+-]?\d+([.,]\d+)?[eE][+-]?\d+\s*$"
_INTERNATIONAL = r"^\+[1-9]\d{7,14}$"
# Digits and what is written between them.
_DIGITS = r"^[0-9(][0-9 .()-]*$"
_NEVER = "[^0-9]"
# Fewer are read sooner by the library than the expressions of a plan are made.
_FEW = 200
_NONE = pl.DataFrame(schema={"row": pl.UInt32, "found": pl.String})

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# Names that are no country's, and the numbering plan that is in use there.
_PLANS = {"channel islands": "JE"}


def e164(number: pl.Expr, country: pl.Expr) -> pl.Expr:
    """E.164 of a phone number; null when it cannot be read.

    A number with `+` or `00` is international; any other is read in the numbering plan of the
    country. Extensions are dropped, and the `.0` or the apostrophe that a spreadsheet adds. One
    that a spreadsheet has rounded (`4.91706E+11`) is lost.

    Args:
        number: the number as written.
        country: name (in any language) or ISO code of the customer's country.

    >>> rows = pl.DataFrame({"number": ["030 901820", "none"], "country": ["Germany", "US"]})
    >>> rows.select(e164(pl.col("number"), pl.col("country"))).to_series().to_list()
    ['+4930901820', None]
    """
    return pl.struct(number.alias("number"), country.alias("country")).map_batches(
        _read, return_dtype=pl.String
    )


def _read(pairs: pl.Series) -> pl.Series:
    received = pairs.struct.unnest()
    number, country = received["number"], received["country"]
    frame = pl.DataFrame({"number": _unguarded(number), "country": country})
    compact = (
        frame["number"]
        .str.replace(r"(?i)\s*(x|ext\.?|#)\s*\d+$", "")
        .str.replace_all(r"\(0\)", "")
        .str.replace_all(r"[\s\u00a0().\-/]", "")
        .str.replace(r"^00", "+")
    )
    simple = compact.str.contains(_INTERNATIONAL).fill_null(False)
    found = pl.select(pl.when(simple).then(compact)).to_series()
    odd = frame.filter(~simple & frame["number"].is_not_null()).unique()
    if not odd.height:
        return found
    plan = pl.coalesce(
        territory(pl.col("country")),
        pl.col("country").str.to_lowercase().replace_strict(_PLANS, default=None),
    )
    read = odd.with_columns(plan.alias("region")).with_row_index("row")
    alike = [_alike(some, str(region)) for (region,), some in read.group_by("region")]
    together = pl.concat([found for found in alike if found is not None] or [_NONE])
    others = read.join(together, on="row", how="anti")
    numbers = others.select("number", "region").iter_rows()
    one_by_one = others.select(
        "row", found=pl.Series([_national(n, r) for n, r in numbers], dtype=pl.String)
    )
    read = read.join(pl.concat([together, one_by_one]), on="row")
    looked_up = frame.join(
        read, on=["number", "country"], how="left", nulls_equal=True, maintain_order="left"
    )
    return pl.select(pl.coalesce(found, looked_up["found"])).to_series()


def _unguarded(number: pl.Series) -> pl.Series:
    return (
        number.str.replace(r"^\s*'\s*", "")
        .str.replace(r"^(\+?\d{6,})[.,]0+$", "$1")
        .set(number.str.contains(_ROUNDED), None)
    )


def _alike(odd: pl.DataFrame, region: str) -> pl.DataFrame | None:
    """row and found of those numbers of a region that its plan reads in one way only.

    The library takes tens of microseconds for a number, so what it would do is done for all of
    them at once where no choice is left: nothing but digits, no country's code, no transformation,
    and a length that the plan has once the national prefix is gone. All others are left to it.
    """
    from phonenumbers import PhoneMetadata, region_code_for_country_code

    plan = PhoneMetadata.metadata_for_region(region, None)
    code = plan.country_code if plan else None
    if odd.height < _FEW or plan is None or code is None or plan.national_prefix_transform_rule:
        return None
    main = PhoneMetadata.metadata_for_region_or_calling_code(
        code, region_code_for_country_code(code)
    )
    general, of_code = plan.general_desc, main.general_desc if main else None
    if general is None or of_code is None:
        return None
    viable = f"^(?:{general.national_number_pattern})$"
    prefix = f"^(?:{plan.national_prefix_for_parsing or _NEVER})"
    lengths = set(general.possible_length) & set(of_code.possible_length)
    digits, rest = pl.col("digits"), pl.col("rest")
    is_kept = digits.str.contains(viable) & ~rest.str.contains(viable)
    return (
        odd.filter(pl.col("number").str.contains(_DIGITS))
        .select("row", digits=pl.col("number").str.replace_all("[^0-9]", ""))
        .filter(~digits.str.contains(f"^(?:{code}|{plan.international_prefix or _NEVER})"))
        .with_columns(rest=digits.str.replace(prefix, ""))
        .select("row", number=pl.when(is_kept).then(digits).otherwise(rest))
        .filter(
            pl.col("number").str.len_bytes().is_in(sorted(lengths)),
            ~pl.col("number").str.starts_with("0"),
        )
        .select("row", found=f"+{code}" + pl.col("number"))
    )


def _national(number: str, region: str | None) -> str | None:
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not _is_mobile(parsed):
        # A spreadsheet drops the plus before the country's code.
        parsed = _with_plus(number, region) or parsed
    if not phonenumbers.is_possible_number(parsed):
        return None
    written: str = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return written


def _with_plus(number: str, region: str | None) -> "PhoneNumber | None":
    import phonenumbers

    if region is None or not number.isdecimal():
        return None
    try:
        parsed = phonenumbers.parse(f"+{number}", None)
    except phonenumbers.NumberParseException:
        return None
    is_of_region = phonenumbers.is_valid_number_for_region(parsed, region)
    return parsed if is_of_region and _is_mobile(parsed) else None


def _is_mobile(parsed: "PhoneNumber") -> bool:
    """Whether it is a mobile number, or of a plan that does not tell."""
    from phonenumbers import PhoneNumberType, number_type

    mobile = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    return number_type(parsed) in mobile
