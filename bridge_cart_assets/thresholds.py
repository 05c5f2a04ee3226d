"""All bounds that something is compared with, in one place.

Belongs here: how much data a model needs, when a model is too old or too bad, when a figure is
worth a warning. Does not belong here: what is compared (`models`, `checks`), or what a user sets
(`settings`).
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Thresholds:
    """When a model is fitted, trusted or replaced, and when a figure is worth a warning.

    Attributes:
        value_customers: customers with a sale that a value model needs.
        value_days: days of history that it needs, first sale to as_of, both counted.
        value_repeaters: of the customers, those with a second purchase day that it needs.
        drop_out_visible: mean drop-out chance a / (a + b) below which none is visible.
        value_age: a value model is fitted again when it is so old.
        value_growth: and when there are so many more or fewer customers, as a share.
        value_agreement, value_agreement_most: what customers pay for an order, as a share of what
            Gamma-Gamma expects: at least, and at most. Either way the fit is of other customers.
        calibration_days: past days that a correction of the value model's forecasts learns from.
        spend_coverage, spend_coverage_most: share of the customers who spend what their 80 %
            interval says: five points either way, which is what a year's season moves it by.
        calibration_error: mean gap between predicted and observed churn that is still calibrated.
        segments_fewest, segments_most: how many segments a model may have.
        segment_smallest, segment_largest: share of the customers that a segment may hold.
        segment_stability: mean adjusted Rand index over resamples that is still stable.
        segment_jaccard: mean Jaccard index of one segment over resamples that is still stable;
            below it a group is not to be relied on (Hennig 2007).
        segment_moved: share of the customers whom a new version of the model alone may move.
        name_distance, name_ratio: a segment's name may say that a figure is high or low when its
            mean lies so many standard deviations (of log1p) and so many times from that of all.
        name_kept: of both, the part that is enough for a name that the segment has already.
        model_age: a segment model is trained again when it is so old.
        model_rest: but not because of drift when it is younger than this.
        drift: population stability index above which a distribution has moved.
        pair_orders, pair_support: orders that a pair of categories has to be in, and share of all.
        pair_categories: categories whose pairs are looked at, those in most orders.
        trailing_days: days that a figure is compared with the mean of.
        churn_rate_rise: churn_rate_90d may be above that mean by this share of it.
        aov_change: aov_90d may differ from that mean by this share of it.
        weekdays: how many of the same weekday before a day it is compared with, at most.
        weekdays_needed: how many of them there have to be.
        anomaly: robust z-score beyond which a day is unusual.
        as_of_age: as_of, and each source, may be this far behind the clock; and orders behind the
            records of other sources.
        refused_share: share of a file's records, or of a batch day's messages of a partition, that
            may be refused.
        unreadable, guessed, superseded_in_file: how many records may stand with such a value, or
            may have been replaced within their own file.
        customer_orders, customer_share: from so many orders on, the share of them that one
            customer may have.
        free_bytes: with less room on the disk of the data folder `doctor` says so.
        contribution_tolerance: the segments' shares add up to one within this (invariant 4).
    """

    value_customers: int = 500
    value_days: int = 180
    value_repeaters: int = 50
    drop_out_visible: float = 0.01
    value_age: timedelta = timedelta(days=7)
    value_growth: float = 0.10
    value_agreement: float = 0.50
    value_agreement_most: float = 2.00
    calibration_days: int = 6
    spend_coverage: float = 0.75
    spend_coverage_most: float = 0.85
    calibration_error: float = 0.10
    segments_fewest: int = 3
    segments_most: int = 8
    segment_smallest: float = 0.03
    segment_largest: float = 0.60
    segment_stability: float = 0.80
    segment_jaccard: float = 0.60
    segment_moved: float = 0.05
    name_distance: float = 0.3
    name_ratio: float = 1.2
    name_kept: float = 0.5
    model_age: timedelta = timedelta(days=30)
    model_rest: timedelta = timedelta(days=7)
    drift: float = 0.25
    pair_orders: int = 5
    pair_support: float = 0.001
    pair_categories: int = 100
    trailing_days: int = 28
    churn_rate_rise: float = 0.20
    aov_change: float = 0.25
    weekdays: int = 8
    weekdays_needed: int = 4
    anomaly: float = 3.5
    as_of_age: timedelta = timedelta(days=3)
    refused_share: float = 0.05
    unreadable: int = 0
    guessed: int = 0
    superseded_in_file: int = 0
    customer_orders: int = 100
    customer_share: float = 0.10
    free_bytes: int = 2**30
    contribution_tolerance: float = 1e-5


THRESHOLDS = Thresholds()
