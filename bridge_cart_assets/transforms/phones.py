"""Phone numbers in any format -> E.164, with the numbering plans of the phonenumbers library.

Belongs here: reading phone numbers and country names. Does not belong here: other columns
(`cleaning`).
"""

from functools import cache

import polars as pl

_INTERNATIONAL = r"^\+[1-9]\d{7,14}$"
_ALIASES = {
    "usa": "US",
    "u.s.a.": "US",
    "us": "US",
    "united states of america": "US",
    "uk": "GB",
    "great britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "eire": "IE",
    "channel islands": "JE",
    "holland": "NL",
}


def e164(number: pl.Expr, country: pl.Expr) -> pl.Expr:
    """E.164 of a phone number; null when it cannot be read.

    A number with `+` or `00` is international; any other is read in the numbering plan of the
    country. Extensions are dropped.

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
    frame = pairs.struct.unnest()
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
    read = odd.with_columns(
        found=pl.Series([_national(n, c) for n, c in odd.iter_rows()], dtype=pl.String)
    )
    looked_up = frame.join(
        read, on=["number", "country"], how="left", nulls_equal=True, maintain_order="left"
    )
    return pl.select(pl.coalesce(found, looked_up["found"])).to_series()


def _national(number: str, country: str | None) -> str | None:
    import phonenumbers

    region = _regions().get((country or "").casefold())
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    written: str = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return written


@cache
def _regions() -> dict[str, str]:
    """Country name in any language, or ISO code -> ISO code."""
    from phonenumbers.geodata.locale import LOCALE_DATA

    names = {
        name.casefold(): region
        for region, languages in LOCALE_DATA.items()
        for name in languages.values()
        if not name.startswith("*")
    }
    codes = {region.casefold(): region for region in LOCALE_DATA}
    return {**names, **codes, **_ALIASES}
