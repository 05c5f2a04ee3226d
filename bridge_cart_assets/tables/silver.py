"""The silver layer: the content of the clean records, and an account of every record."""

from bridge_cart_assets.tables.columns import (
    Schema,
    day,
    flag,
    integer,
    money,
    quantity,
    text,
    timestamp,
)
from bridge_cart_assets.tables.table import Table


class Origin(Schema):
    """The columns that decide between records of one key, and the place of the record in raw."""

    batch_day = day("Batch day of the record that stands")
    version_at = timestamp("Version of the record: updated_at, or else the end of its batch day")
    object = text("File or topic-partition that the record came in")
    pos = integer("Position of the record in that file, or offset of the message")
    fingerprint = text("SHA-256 of that file's bytes, or topic-partition")
    item = integer("Which of the lines that the record holds, from 1")


class OrderLine(Origin):
    """An order line as its record says it."""

    source = text("Source of the order", key=True)
    order_id = text("Order that the line belongs to", key=True)
    line_number = integer("Line within the order, from 1", key=True)
    customer_id = text("Customer who ordered, as received", nullable=True)
    email_key = text(
        "Keyed hash of the e-mail address on the line; null without one, and with "
        "BRIDGE_CART_IDENTITY=off",
        nullable=True,
        pii=True,
    )
    purchase_date = timestamp("When the order was placed, in UTC")
    purchase_day = day("Day of purchase_date in the shop's time zone")
    purchase_month = text("Month of purchase_day, YYYY-MM")
    purchase_amount = money("Amount of the line before discount")
    discount_amount = money("Discount on the line; it has the sign of the amount")
    net_amount = money("purchase_amount - discount_amount")
    quantity = quantity("Pieces, or a weight; negative when goods came back")
    coupon_used = flag("Whether a coupon was used")
    payment_method = text("How it was paid: credit_card, debit_card, upi, …, unknown")
    product_category = text("Category of the product, or unknown")
    kind = text(
        "sale, refund (gives money back), cancelled (a sale undone), pending (not paid yet) or free"
    )
    currency = text("Currency that the line names, ISO 4217", nullable=True)
    unreadable = text("Optional columns whose value could not be read", nullable=True)
    guessed = text(
        "Columns that could be read in two ways, and the file left it open", nullable=True
    )


class Purchases(OrderLine):
    """One row per order line."""

    customer_id = text(
        "Person who ordered, see silver/identities; null for an anonymous sale",
        nullable=True,
    )
    received_customer_id = text("Customer who ordered, as received", nullable=True)


class PurchaseRepeats(OrderLine):
    """Accepted order-line records that do not stand; `fate` says why."""

    # A record is named by where it came from; the key of the line repeats here by nature. Equal
    # bytes can lie in the folders of two sources.
    source = text("Source of the order", key=True)
    order_id = text("Order that the line belongs to")
    line_number = integer("Line within the order, from 1")
    pos = integer("Position of the record in its file", key=True)
    fingerprint = text("SHA-256 of the file's bytes", key=True)
    item = integer("Which of the lines that the record holds, from 1", key=True)
    kind = text("As in silver/purchases; empty for an order that came without a line")
    fate = text(
        "duplicate (same content as the record that stands), superseded (other content) or empty: "
        "an order without a line, which no count has and which undoes the order's earlier lines"
    )


class Profile(Origin):
    """A person's data in a customer record."""

    customer_id = text("The customer, as received")
    source = text("Source that the profile came from")
    name = text("Full name", nullable=True, pii=True)
    email = text("E-mail address, lower case", nullable=True, pii=True)
    mobile = text("Mobile number in E.164", nullable=True, pii=True)
    gender = text("female, male, other or unknown")
    age = integer("Age in years", nullable=True)
    income = money("Yearly income", nullable=True)
    city = text("City", nullable=True, pii=True)
    country = text("Country", nullable=True)
    signup_date = day("Day of sign-up", nullable=True)
    unreadable = text("Optional columns whose value could not be read", nullable=True)
    guessed = text(
        "Columns that could be read in two ways, and the file left it open", nullable=True
    )
    valid_from = timestamp("The profile holds from this moment")


class Customers(Profile):
    """One row per person and version of the profile (SCD2)."""

    customer_id = text("The person, see silver/identities", key=True)
    received_customer_id = text("The customer of the profile, as received")
    valid_from = timestamp("The version holds from this moment", key=True)
    valid_to = timestamp("… until before this one; null for the current version", nullable=True)
    is_current = flag("Whether this is the current version")


class CustomerRepeats(Profile):
    """Accepted profile records that do not stand; `fate` says why."""

    source = text("Source that the profile came from", key=True)
    pos = integer("Position of the record in its file", key=True)
    fingerprint = text("SHA-256 of the file's bytes", key=True)
    item = integer("Which of the lines that the record holds, from 1", key=True)
    fate = text("duplicate (same content as a neighbour version) or superseded (other content)")


class Identities(Schema):
    """One row per account and per guest with an address."""

    identity = text("A customer_id as received, or the key of a guest (guest-…)", key=True)
    person_id = text("The person: the customer_id of silver/purchases, silver/customers and gold")
    reason = text("own (the identity is the person's) or email (it shares the person's address)")
    first_seen = day("First batch day of a record that names the identity")
    email_key = text(
        "Keyed hash of the e-mail address by which it meets others; null without one",
        nullable=True,
        pii=True,
    )
    address_of = text(
        "Where that address stands: profile (the current one) or order (the latest with one)",
        nullable=True,
    )


class Quarantine(Schema):
    """One row per refused record."""

    source = text("Source of the record", key=True)
    batch_day = day("Batch day of the record")
    object = text("File or topic-partition that the record came in")
    pos = integer("Position of the record in that file, or offset of the message", key=True)
    fingerprint = text("SHA-256 of that file's bytes, or topic-partition", key=True)
    item = integer("Which of the lines that the record holds, from 1", key=True)
    reason = text("Reason code, for instance BAD_DATE")
    column = text("Column that is to blame, if it is one", nullable=True)
    value = text("Its value as received", nullable=True, pii=True)
    amount = money(
        "Amount of the refused order line before discount, where it can be read", nullable=True
    )
    raw = text("The whole record as received", nullable=True, pii=True)
    quarantined_at = timestamp(
        "Start of the batch day, so that equal inputs give equal tables; raw has the clock's time"
    )


class Accounting(Schema):
    """One row per source and batch day: the records by outcome."""

    source = text("The source", key=True)
    batch_day = day("The batch day", key=True)
    records = integer(
        "Records, or lines where one record holds several; the sum of the next five counts"
    )
    blank = integer("Empty lines, and records of an order without a line")
    quarantined = integer("Refused, each with a reason in silver/quarantine")
    accepted = integer("Standing in silver now")
    duplicate = integer("Same content as the record that stands")
    superseded = integer("Other content, older version")
    raw_records = integer("Records in raw")


class EarlierAccounting(Schema):
    """As version 0.1 wrote it, when each record was one line."""

    source = text("The source", key=True)
    batch_day = day("The batch day", key=True)
    records = integer("Records in raw; the sum of the other counts")
    blank = integer("Empty lines")
    quarantined = integer("Refused, each with a reason in silver/quarantine")
    accepted = integer("Standing in silver now")
    duplicate = integer("Same content as the record that stands")
    superseded = integer("Other content, older version")


class RememberedSettings(Schema):
    """One row per setting that the rows of silver depend on."""

    variable = text("The variable that sets it, for instance BRIDGE_CART_TIMEZONE", key=True)
    value = text(
        "The value that silver was made with; null while a rebuild empties silver to change it",
        nullable=True,
    )


PURCHASES = Table(
    path="silver/purchases",
    schema=Purchases,
    description="Order lines, clean, one row per (source, order_id, line_number): latest version.",
    partition_by=("purchase_month",),
)
PURCHASE_REPEATS = Table(
    path="silver/purchase_repeats",
    schema=PurchaseRepeats,
    description="Order-line records that were accepted and do not stand: duplicates, superseded.",
)
CUSTOMERS = Table(
    path="silver/customers",
    schema=Customers,
    description="Profiles of persons with their history: one row per person and version (SCD2).",
    interval_of=("customer_id",),
)
CUSTOMER_REPEATS = Table(
    path="silver/customer_repeats",
    schema=CustomerRepeats,
    description="Profile records that were accepted and do not stand: duplicates, superseded.",
)
IDENTITIES = Table(
    path="silver/identities",
    schema=Identities,
    description="Who is one person: one row per customer_id as received, and per guest.",
)
QUARANTINE = Table(
    path="silver/quarantine",
    schema=Quarantine,
    description="Every refused record with its reason and its original text.",
)
ACCOUNTING = Table(
    path="silver/accounting",
    schema=Accounting,
    description="What became of every record, per source and batch day.",
)
SETTINGS = Table(
    path="silver/settings",
    schema=RememberedSettings,
    description="The settings that silver was made with: a run with other ones is refused.",
)
ACCOUNTING_0_1 = Table(
    path=ACCOUNTING.path,
    schema=EarlierAccounting,
    description=ACCOUNTING.description,
)

# What people look at, and what only the fold needs: the second are no assets of their own.
TABLES = (PURCHASES, CUSTOMERS, IDENTITIES, QUARANTINE, ACCOUNTING)
INTERNAL = (PURCHASE_REPEATS, CUSTOMER_REPEATS)
