"""What a retraction would take away, and what it has taken, in lines.

Belongs here: words and counts. Does not belong here: finding them out (`pipeline.taken_objects`).
"""

from bridge_cart_assets.pipeline.open_retraction import TakenObject
from bridge_cart_assets.pipeline.taken_objects import Effects
from bridge_cart_assets.settings import Settings
from bridge_cart_assets.terminal.escaping import printable
from bridge_cart_assets.terminal.retracting import Retracted
from bridge_cart_assets.transforms.masking import masked_path

_MOST_DAYS = 5


def effects_in_lines(settings: Settings, taken: TakenObject, effects: Effects) -> list[str]:
    """What would leave, by table, and where the file would go."""
    lines = [
        f"{masked_path(taken.name)}: {_records(taken)}",
        f"  silver/purchases: {effects.lines:,} lines that stand, {effects.net_revenue:,.2f} net",
        f"  silver/customers: {effects.profiles:,} profiles that stand",
        f"  silver/quarantine: {effects.refused:,} refused records",
    ]
    if taken.place is not None:
        place = f"{settings.landing_at or settings.landing}/{taken.place}"
        lines.append(f"  the file would move to {masked_path(place)}")
    lines += [f"  {masked_path(name)} has the same content, and stays" for name in effects.same]
    return [printable(line) for line in lines]


def retracted_in_lines(settings: Settings, retracted: Retracted) -> list[str]:
    """What has left, where the file lies now, and what comes next."""
    taken = retracted.taken
    lines = [f"retracted {masked_path(taken.name)}: {_records(taken)} have left raw"]
    if taken.place is not None:
        place = f"{settings.landing_at or settings.landing}/{taken.place}"
        lines += [
            f"the file lies in {masked_path(place)}",
            "to land it again, move it below its source's folder, under the right name",
        ]
    for name in retracted.same:
        lines.append(f"{masked_path(name)} has the same content: the next run takes it from there")
    if retracted.same:
        lines.append("Next: bridge-cart run")
    return [printable(line) for line in lines]


def _records(taken: TakenObject) -> str:
    """How many records of which batch days."""
    count = sum(taken.records.values())
    noun = "record" if count == 1 else "records"
    if not taken.records:
        return "no records"
    days = [str(day) for day in sorted(taken.records)]
    rest = len(days) - _MOST_DAYS
    shown = ", ".join(days[:_MOST_DAYS])
    return f"{count:,} {noun} of {shown}{f' and {rest:,} more days' if rest > 0 else ''}"
