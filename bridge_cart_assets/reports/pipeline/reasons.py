"""The reason codes in plain words: what each means and what to do about it.

Belongs here: words for people who look after the shop's files. Does not belong here: when a
record is refused (see `transforms.cleaning` and `ingestion`, and docs/silver.md).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """What a code means, and what to do."""

    means: str
    remedy: str


_CORRECT = "Land a corrected record; this one stays counted as refused."
_NOT_AN_ID = "Most often a spreadsheet has rounded it (5.01E+12): export the column as text."
_NOT_A_LINE = "Ask who writes the file: it is most often a comma or a quote in a text."

OF_RECORDS = {
    "MALFORMED": Reason("The line is not a record of this format.", _NOT_A_LINE),
    "TOO_FEW_FIELDS": Reason("The line has fewer fields than the header.", _NOT_A_LINE),
    "TOO_MANY_FIELDS": Reason("The line has more fields than the header.", _NOT_A_LINE),
    "BAD_ENCODING": Reason(
        "The line has bytes that are no text in UTF-8.",
        "Have the file written in UTF-8, or name its encoding in BRIDGE_CART_ENCODINGS.",
    ),
    "LINE_TOO_LONG": Reason(
        "The line is longer than 8 MiB.", "Look for a quote that is not closed."
    ),
    "ERASED": Reason(
        "Its person was erased; nothing of the record is kept but its place.",
        "Nothing: it is counted so that the counts of its file stay true.",
    ),
    "MISSING_ORDER_ID": Reason("There is no order id.", _CORRECT),
    "BAD_ORDER_ID": Reason("The order id is no id.", _NOT_AN_ID),
    "MISSING_CUSTOMER_ID": Reason("A profile has no customer id.", _CORRECT),
    "BAD_CUSTOMER_ID": Reason("The customer id is no id.", _NOT_AN_ID),
    "BAD_LINE_NUMBER": Reason(
        "The line number is no whole number from 1 on.",
        "Leave the column out: the lines of an order are then numbered in their order.",
    ),
    "MISSING_DATE": Reason("There is no purchase date.", _CORRECT),
    "BAD_DATE": Reason("The purchase date is in no known spelling, or no such day.", _CORRECT),
    "FUTURE_DATE": Reason(
        "The purchase date is more than one day after the batch day.",
        "Look whether the clock or the day in the name of the file is wrong; then land it again.",
    ),
    "MISSING_AMOUNT": Reason("There is no amount.", _CORRECT),
    "BAD_AMOUNT": Reason("The amount is no number.", _CORRECT),
    "BAD_STATUS": Reason(
        "The status is in no known words, so nobody knows whether the line is a sale.",
        "Have it written as completed, refunded, cancelled or pending.",
    ),
    "NON_POSITIVE_AMOUNT": Reason(
        "The amount is below zero, though the line says that it is a completed sale.",
        "If money was given back, the status should say refunded.",
    ),
    "BAD_DISCOUNT": Reason("The discount is no amount, or larger than the line's.", _CORRECT),
    "BAD_QUANTITY": Reason("The quantity is no number, or zero.", _CORRECT),
    "OTHER_CURRENCY": Reason(
        "The line names another currency than BRIDGE_CART_CURRENCY.",
        "Keep a shop per currency, or have the amounts in the shop's; then land it again.",
    ),
}

OF_FINDINGS = {
    "superseded_in_file": Reason(
        "Two lines with one order and line number differ, and no updated_at decides.",
        "Leave the line numbers out, or number the lines of an order; then land it again.",
    ),
    "guessed": Reason(
        "The value can be read in two ways, and nothing in the file decides.",
        "Of days, BRIDGE_CART_DATES says whether the day or the month comes first.",
    ),
    "unreadable": Reason(
        "A value is there that cannot be read: it is left out, or the default stands.",
        "Have it written in a form that docs/silver.md names.",
    ),
}

_AGAIN = "Land it again; it is read again when it changes."
OF_FILES = {
    "TRUNCATED": Reason("The file ends too early.", _AGAIN),
    "BAD_CHECKSUM": Reason("The file was damaged on its way.", _AGAIN),
    "HEADER_MISMATCH": Reason(
        "The header is missing, or lacks a required column.", "Mend the export and land it again."
    ),
    "NOT_A_REGULAR_FILE": Reason(
        "It is a link, a pipe or another special file.", "Land a copy of the file itself."
    ),
    "UNREADABLE": Reason(
        "It cannot be opened, or is not what its name says.",
        "Look at its rights and at its format; then land it again.",
    ),
    "TOO_LARGE": Reason(
        "It unpacks to more than 200 times its size.", "Land it unpacked, if it is right."
    ),
}


def of_record(code: str) -> Reason:
    """Why a record was refused; a code that is not known says so."""
    return OF_RECORDS.get(code, Reason("This page does not know the code.", "See docs/silver.md."))


def of_finding(kind: str, subject: str) -> Reason:
    """Why silver has records otherwise than their file says."""
    return of_record(subject) if kind == "refused" else OF_FINDINGS[kind]


def of_file(code: str) -> Reason:
    """Why a file was refused; a code that is not known says so."""
    return OF_FILES.get(code, Reason("This page does not know the code.", "See docs/landing.md."))
