"""Who is one person: accounts and guests that have one e-mail address.

Belongs here: the identities that records name, the address of each, and the person that follows
from both. Each is a function of the set of records, whatever the order in which they came. Does not
belong here: reading and writing (`pipeline.fold`), or how addresses are read (`addresses`).

An identity has at most one address, so persons are found address by address: nothing is followed
from one address to the next. A new address of an account takes it out of one group into another.
"""

import polars as pl

from bridge_cart_assets.tables.silver import IDENTITIES
from bridge_cart_assets.transforms.folding import VERSION

# An address that more accounts have stands for no person: a till's, a company's, noreply@.
MOST_ACCOUNTS = 5
GUEST = "guest-"
# What `latest_addresses` needs of a line.
ADDRESS_OF_LINE = (
    *("customer_id", "email_key", "purchase_date"),
    *dict.fromkeys((*VERSION, "source", "order_id", "line_number")),
)


def guest_of(email_key: pl.Expr) -> pl.Expr:
    """The key of the guest who has an address.

    >>> keys = pl.DataFrame({"email_key": ["0f3a", None]})
    >>> keys.select(guest_of(pl.col("email_key"))).to_series().to_list()
    ['guest-0f3a', None]
    """
    return pl.concat_str(pl.lit(GUEST), email_key)


def identity_of_line(customer_id: str = "customer_id") -> pl.Expr:
    """Whose an order line is: the account's, else a guest's; null when it names neither.

    Args:
        customer_id: the column that has the customer_id as received.

    >>> lines = pl.DataFrame({"customer_id": ["C1", None, None], "email_key": ["0f", "0f", None]})
    >>> lines.select(identity_of_line()).to_series().to_list()
    ['C1', 'guest-0f', None]
    """
    return pl.coalesce(customer_id, guest_of(pl.col("email_key")))


def named_identities(lines: pl.DataFrame, profiles: pl.DataFrame) -> pl.DataFrame:
    """The identities that records name.

    Args:
        lines: order lines with customer_id as received, email_key and batch_day.
        profiles: all profiles of some accounts, with customer_id as received, email_key, batch_day,
            valid_from and the columns of the version.

    Returns:
        One row per identity: identity, first_seen (the first batch day among these records),
        guest_key (null of an account), has_lines, is_addressed (whether a line has an address),
        has_profile, profile_key (of the address of the latest profile).

    >>> from datetime import date
    >>> from bridge_cart_assets.tables.silver import CUSTOMER_REPEATS, PURCHASE_REPEATS
    >>> day = date(2024, 1, 1)
    >>> lines = pl.DataFrame(
    ...     [{"customer_id": "C1", "batch_day": day}, {"email_key": "0f", "batch_day": day}],
    ...     schema=PURCHASE_REPEATS.dtypes,
    ... )
    >>> profiles = CUSTOMER_REPEATS.empty().with_columns(email_key=pl.lit(None, pl.String))
    >>> named_identities(lines, profiles).sort("identity").select("identity", "guest_key").rows()
    [('C1', None), ('guest-0f', '0f')]
    """
    is_guest = pl.col("customer_id").is_null()
    of_lines = (
        lines.select("batch_day", "email_key", guest=is_guest, identity=identity_of_line())
        .drop_nulls("identity")
        .group_by("identity")
        .agg(
            first_seen=pl.min("batch_day"),
            guest_key=pl.when(pl.col("guest").first()).then(pl.col("email_key").first()),
            is_addressed=pl.col("email_key").is_not_null().any(),
            has_lines=pl.lit(True),
        )
    )
    of_profiles = (
        profiles.sort("valid_from", *VERSION)
        .group_by(identity="customer_id")
        .agg(
            first_seen=pl.min("batch_day"),
            profile_key=pl.col("email_key").last(),
            has_profile=pl.lit(True),
        )
    )
    return (
        pl.concat([of_lines, of_profiles], how="diagonal")
        .group_by("identity")
        .agg(
            pl.min("first_seen"),
            pl.max("guest_key", "profile_key"),
            pl.col("is_addressed", "has_lines", "has_profile").any(),
        )
    )


def with_stored(named: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """The identities that records name beside what is stored of them.

    Args:
        named: rows of `named_identities`.
        stored: the rows of silver/identities that have these identities.

    Returns:
        `named` with first_seen of both, profile_key also where only stored, stored_key,
        stored_of, and by_orders: whether order lines decide which address the account has now.
        They do where its profile has none, and a line with an address has come or gone, or the
        profile had one until now.

    >>> from datetime import date
    >>> names = {"identity": ["C1"], "first_seen": [date(2024, 1, 2)], "guest_key": [None]}
    >>> named = pl.DataFrame(
    ...     {**names, "profile_key": [None], "is_addressed": True, "has_lines": True},
    ...     schema_overrides={"guest_key": pl.String, "profile_key": pl.String},
    ... ).with_columns(has_profile=False)
    >>> with_stored(named, IDENTITIES.empty()).select("identity", "by_orders").rows()
    [('C1', True)]
    """
    known = stored.select(
        "identity", _seen="first_seen", stored_key="email_key", stored_of="address_of"
    )
    joined = named.join(known, on="identity", how="left").with_columns(
        first_seen=pl.min_horizontal("first_seen", "_seen"),
        _had_profile=(pl.col("stored_of") == "profile").fill_null(False),
        _had_order=(pl.col("stored_of") == "order").fill_null(False),
    )
    from_stored = pl.col("_had_profile") & ~pl.col("has_profile")
    has_moved = (pl.col("has_lines") & (pl.col("is_addressed") | pl.col("_had_order"))) | (
        pl.col("_had_profile")
    )
    return (
        joined.with_columns(
            profile_key=pl.when(from_stored).then("stored_key").otherwise("profile_key")
        )
        .with_columns(
            by_orders=pl.col("profile_key").is_null() & pl.col("guest_key").is_null() & has_moved
        )
        .drop("_seen", "_had_profile", "_had_order")
    )


def latest_addresses(lines: pl.DataFrame) -> pl.DataFrame:
    """The address on the latest order line of each account that has one.

    Args:
        lines: order lines that stand, with customer_id as received.

    Returns:
        identity, order_key. Of lines of one moment the one with the highest version decides.

    >>> from datetime import UTC, datetime
    >>> from bridge_cart_assets.tables.silver import PURCHASE_REPEATS
    >>> days = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2)]
    >>> lines = [
    ...     {"customer_id": "C1", "email_key": key, "purchase_date": day}
    ...     for key, day in zip(("0f", "7c"), days, strict=True)
    ... ]
    >>> latest_addresses(pl.DataFrame(lines, schema=PURCHASE_REPEATS.dtypes)).rows()
    [('C1', '7c')]
    """
    return (
        lines.filter(pl.col("email_key").is_not_null(), pl.col("customer_id").is_not_null())
        .sort("purchase_date", *VERSION, "source", "order_id", "line_number")
        .group_by(identity="customer_id")
        .agg(order_key=pl.col("email_key").last())
    )


def members(named: pl.DataFrame, order_keys: pl.DataFrame) -> pl.DataFrame:
    """The identities with the address that each has now.

    Args:
        named: rows of `with_stored`.
        order_keys: rows of `latest_addresses` for those of them that go by orders.

    Returns:
        identity, first_seen, email_key, address_of.

    >>> from datetime import date
    >>> text = {n: pl.String for n in ("guest_key", "profile_key", "stored_key", "stored_of")}
    >>> row = {"identity": "C1", "first_seen": date(2024, 1, 1), "by_orders": True}
    >>> named = pl.DataFrame([row], schema_overrides=text | {"stored_of": pl.String}).with_columns(
    ...     pl.lit(None, pl.String).alias(n) for n in text
    ... )
    >>> members(named, pl.DataFrame({"identity": ["C1"], "order_key": ["0f"]})).row(0)[2:]
    ('0f', 'order')
    """
    with_orders = named.join(order_keys, on="identity", how="left")
    was_of_order = pl.when(pl.col("stored_of") == "order").then("stored_key")
    of_order = pl.when("by_orders").then("order_key").otherwise(was_of_order)
    return with_orders.select(
        "identity",
        "first_seen",
        email_key=pl.coalesce("guest_key", "profile_key", of_order),
        address_of=pl.when(pl.col("guest_key").is_not_null())
        .then(pl.lit("order"))
        .when(pl.col("profile_key").is_not_null())
        .then(pl.lit("profile"))
        .when(of_order.is_not_null())
        .then(pl.lit("order")),
    )


def persons(members: pl.DataFrame) -> pl.DataFrame:
    """The person of each identity.

    Args:
        members: identity, first_seen, email_key and address_of; of each address all identities that
            have it.

    Returns:
        The columns of silver/identities. Accounts and guests with one address are the account that
        was seen first (by batch day, then id); without an account the guest. Where more than five
        accounts have an address each of them is a person of its own, and so is the guest.

    >>> from datetime import date
    >>> seen = {"first_seen": date(2024, 1, 1), "email_key": "0f"}
    >>> rows = [{"identity": name, **seen} for name in ("C2", "C1", "guest-0f")]
    >>> found = persons(pl.DataFrame(rows).with_columns(address_of=pl.lit("order")))
    >>> found.select("identity", "person_id", "reason").rows()
    [('C2', 'C1', 'email'), ('C1', 'C1', 'own'), ('guest-0f', 'C1', 'email')]
    """
    accounts = members.filter(pl.col("email_key").is_not_null() & ~is_guest())
    heads = (
        accounts.sort("first_seen", "identity")
        .group_by("email_key")
        .agg(_head=pl.col("identity").first(), _accounts=pl.len())
        .filter(pl.col("_accounts") <= MOST_ACCOUNTS)
    )
    person = pl.coalesce("_head", "identity")
    return (
        members.join(heads, on="email_key", how="left", maintain_order="left")
        .with_columns(
            person_id=person,
            reason=pl.when(person == pl.col("identity"))
            .then(pl.lit("own"))
            .otherwise(pl.lit("email")),
        )
        .select(IDENTITIES.dtypes.keys())
    )


def is_guest() -> pl.Expr:
    """Whether an identity is a guest's.

    >>> rows = pl.DataFrame({"identity": ["C1", "guest-0f"], "email_key": ["0f", "0f"]})
    >>> rows.select(is_guest()).to_series().to_list()
    [False, True]
    """
    return pl.col("identity").eq_missing(guest_of(pl.col("email_key")))
