"""The filters of a page: what is asked for in its address, and what may be asked for.

Belongs here: reading GET parameters against lists of what there is. Does not belong here: what a
filter does to a figure (see the `queries` of each page), or HTML.
A value that is not on the list changes nothing, and the page says so: an address is often old,
cut off or typed by hand, and an error page does not help.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from math import ceil
from urllib.parse import urlencode

from bridge_cart_assets.reports.catalogue import Catalogue
from bridge_cart_assets.tables.gold import CUSTOMER_FEATURES, SEGMENT_METRICS

PERIODS = {
    "30d": ("30 days", 30),
    "90d": ("90 days", 90),
    "180d": ("180 days", 180),
    "365d": ("365 days", 365),
    "all": ("All time", None),
}
DEFAULT_PERIOD = "180d"
FILTERS = {
    "period": "Period",
    "segment": "Segment",
    "country": "Country",
    "category": "Top category",
}
LONGEST_TEXT = 80
_MOST_OPTIONS = 100
_MOST_NAMED = 6
_MOST_WARNINGS = 4
_MOST_POINTS = 105


@dataclass(frozen=True)
class Filters:
    """What a page shows; every value is one that exists.

    Attributes:
        period: a key of PERIODS.
        segment: id of a living segment.
        country, category: values of gold.customer_features (category: top_category).
    """

    period: str = DEFAULT_PERIOD
    segment: int | None = None
    country: str | None = None
    category: str | None = None

    def first_day(self, first: date, last: date) -> date:
        """The first day of the period that ends with `last`, not before `first`."""
        days = PERIODS[self.period][1]
        return first if days is None else max(first, date.fromordinal(last.toordinal() - days + 1))

    @property
    def of_customers(self) -> dict[str, object]:
        """The filters on customers, as queries bind them."""
        return {"segment": self.segment, "country": self.country, "category": self.category}

    def is_set(self, name: str) -> bool:
        """Whether a filter has another value than it has on its own."""
        return bool(getattr(self, name) != getattr(Filters(), name))


def weeks_per_point(days: int) -> int:
    """How many weeks a point or bar of a chart stands for, so that a chart has 105 at most."""
    return max(1, ceil(days / 7 / _MOST_POINTS))


def points_and_step(days: int) -> tuple[int, int]:
    """How many points or bars a chart over so many days has, and the days from one to the next."""
    step = 7 * weeks_per_point(days)
    return max(1, 7 * max(1, round((days + 1) / 7)) // step), step


@dataclass(frozen=True)
class Option:
    """A value that a filter may have, and its name for people."""

    value: str
    name: str


@dataclass(frozen=True)
class Parameter:
    """A GET parameter that only one page has.

    Attributes:
        name: as in the address; not the name of a filter.
        label: as on the page.
        options: what it may be, the first when nothing is asked for; none: any short text.
        in_form: whether people choose it in the form; otherwise it comes from links.
    """

    name: str
    label: str
    options: tuple[Option, ...] = ()
    in_form: bool = True

    @property
    def default(self) -> str:
        """The value when nothing is asked for."""
        return self.options[0].value if self.options else ""


@dataclass(frozen=True)
class Choices:
    """What each filter may be in this catalogue."""

    segment: tuple[Option, ...] = ()
    country: tuple[Option, ...] = ()
    category: tuple[Option, ...] = ()
    period: tuple[Option, ...] = tuple(Option(key, name) for key, (name, _) in PERIODS.items())

    def of(self, name: str) -> tuple[Option, ...]:
        """The options of a filter."""
        options: tuple[Option, ...] = getattr(self, name)
        return options


@dataclass(frozen=True)
class PageQuery:
    """All that an address asks of a page.

    Attributes:
        filters: the filters that every page has.
        own: the page's own parameters, all of them, those not asked for at their default.
        path: the variable parts of the address, unchecked.
        warnings: a sentence for each thing that was asked for and does not exist.
        in_full: whether every row of a table is wanted, as in its CSV, or the first ones do.
    """

    filters: Filters = field(default_factory=Filters)
    own: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    in_full: bool = False

    @property
    def filter_query(self) -> str:
        """The filters alone, as they go along to another page: '' or '?country=DE'."""
        return _query(self._filters_set())

    def query(self, **changes: str | None) -> str:
        """Filters and own parameters as the end of an address, with some of them changed.

        Args:
            changes: own parameters or filters by name; None takes one away.
        """
        own = [(k, v) for k, v in self.own.items() if v != self.defaults.get(k, "")]
        values: dict[str, str | None] = {**dict(self._filters_set()), **dict(own), **changes}
        return _query([(k, v) for k, v in values.items() if v is not None])

    def csv_query(self) -> str:
        """Like `query`, with the variable parts of the path: for a table of this page as CSV."""
        return self.query(**self.path)

    def _filters_set(self) -> list[tuple[str, str]]:
        return [(n, str(getattr(self.filters, n))) for n in FILTERS if self.filters.is_set(n)]


def _query(values: Sequence[tuple[str, str]]) -> str:
    return f"?{urlencode(values)}" if values else ""


def read_address(
    parameters: Iterable[tuple[str, str]],
    choices: Choices,
    own: Sequence[Parameter] = (),
    path: Mapping[str, str] | None = None,
) -> PageQuery:
    """What the parameters of an address ask for.

    Args:
        parameters: names and values in order; names may repeat.
        choices: what the filters may be.
        own: the parameters that only this page has.
        path: the variable parts of the address.
    """
    path = dict(path or {})
    labels = {**FILTERS, **{parameter.name: parameter.label for parameter in own}}
    pairs = [(name, value) for name, value in parameters if name not in path]
    given, warnings = _given(pairs, labels)
    chosen: dict[str, str | int] = {}
    for name in (name for name in FILTERS if name in given):
        value = given[name]
        if value in {option.value for option in choices.of(name)}:
            chosen[name] = int(value) if name == "segment" else value
        else:
            warnings.append(_unknown(FILTERS[name], value, choices.of(name)))
    defaults = {parameter.name: parameter.default for parameter in own}
    values = dict(defaults)
    for parameter in own:
        value = given.get(parameter.name, "")
        warning = _complaint(parameter, value) if value else ""
        if warning:
            warnings.append(warning)
        elif value:
            values[parameter.name] = value
    return PageQuery(
        filters=replace(Filters(), **chosen),  # type: ignore[arg-type]
        own=values,
        path=path,
        warnings=tuple(dict.fromkeys(warnings))[:_MOST_WARNINGS],
        defaults=defaults,
    )


def _given(
    pairs: Iterable[tuple[str, str]], labels: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Known names with their first values that are not empty, and sentences on the rest."""
    given: dict[str, str] = {}
    warnings = []
    for name, value in pairs:
        if name not in labels:
            warnings.append(f"There is no filter {quoted(name)}: it changes nothing.")
        elif given.get(name, value.strip()) != value.strip():
            warnings.append(f"{labels[name]} is given more than once: the first one counts.")
        elif value.strip():
            given[name] = value.strip()
    return given, warnings


def _complaint(parameter: Parameter, value: str) -> str:
    """Why a page's own parameter cannot have this value; '' when it can."""
    if parameter.options:
        known = value in {option.value for option in parameter.options}
        return "" if known else _unknown(parameter.label, value, parameter.options)
    if len(value) <= LONGEST_TEXT and value.isprintable():
        return ""
    return (
        f"{parameter.label} takes up to {LONGEST_TEXT} printable characters: "
        f"{quoted(value)} changes nothing."
    )


def _unknown(label: str, value: str, options: Sequence[Option]) -> str:
    if not options:
        return f"{label} {quoted(value)} is not known: the catalogue has none to choose from."
    named = [
        option.name if option.name == option.value else f"{option.value} ({option.name})"
        for option in options[:_MOST_NAMED]
    ]
    more = len(options) - len(named)
    listed = ", ".join(named) + (f" and {more} more" if more else "")
    return f"{label} {quoted(value)} is not known and changes nothing. There are: {listed}."


def quoted(value: str, longest: int = 40) -> str:
    """What was asked for, in quotation marks: on one line, and not too long."""
    shown = "".join(c if c.isprintable() else " " for c in value[: longest + 1])
    return f"“{shown[:longest]}…”" if len(value) > longest else f"“{shown}”"


def choices_of(catalogue: Catalogue) -> Choices:
    """What the filters may be: living segments, and the hundred most frequent other values."""
    there = set(catalogue.gold_tables())
    segments: list[Option] = []
    if SEGMENT_METRICS in there:
        sql = """
            SELECT CAST(segment_id AS VARCHAR), segment_name
            FROM gold.segment_metrics WHERE is_current ORDER BY segment_id
        """
        segments = catalogue.ask(Option, sql)
    if CUSTOMER_FEATURES not in there:
        return Choices(segment=tuple(segments))
    return Choices(
        segment=tuple(segments),
        country=_values(catalogue, "country"),
        category=_values(catalogue, "top_category"),
    )


def _values(catalogue: Catalogue, column: str) -> tuple[Option, ...]:
    assert column in CUSTOMER_FEATURES.columns  # noqa: S101 - a name of ours, never of an address
    sql = f"""
        SELECT value, value FROM (
            SELECT {column} AS value, count(*) AS customers FROM gold.customer_features
            WHERE trim({column}) = {column} AND {column} <> ''
            GROUP BY ALL ORDER BY customers DESC, value LIMIT $most
        ) ORDER BY value
    """  # noqa: S608
    return tuple(catalogue.ask(Option, sql, {"most": _MOST_OPTIONS}))
