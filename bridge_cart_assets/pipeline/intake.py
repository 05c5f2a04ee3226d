"""Raw: take in what has arrived for one source, landed files and messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bridge_cart_assets.batch_days import DayRange
from bridge_cart_assets.ingestion.ingest_files import FilesTaken, ingest_files
from bridge_cart_assets.ingestion.ingest_messages import MessagesTaken, ingest_messages
from bridge_cart_assets.ingestion.landing import list_landing
from bridge_cart_assets.ingestion.ledger import new_files
from bridge_cart_assets.ingestion.repeated import (
    RepeatedFile,
    repeated_files,
    repeats_in_lines,
)
from bridge_cart_assets.lake.delta import Lake
from bridge_cart_assets.lake.doctor import refuse_torn
from bridge_cart_assets.object_store import ObjectStore
from bridge_cart_assets.pipeline.hash_key import existing_key_in
from bridge_cart_assets.pipeline.lake_format import refuse_other_format
from bridge_cart_assets.pipeline.persons import refuse_other_key
from bridge_cart_assets.pipeline.plan import ALL_ARRIVALS, FILES, MESSAGES
from bridge_cart_assets.pipeline.progress import ProgressCallback, silent
from bridge_cart_assets.sources import Source
from bridge_cart_assets.tables.ops import TABLES as OPS_TABLES
from bridge_cart_assets.transforms.masking import masked_path


@dataclass(frozen=True)
class Intake:
    """What was taken in for one source; None for what was not looked at."""

    files: FilesTaken | None = None
    messages: MessagesTaken | None = None
    repeated: Sequence[RepeatedFile] = ()

    @property
    def message_days(self) -> set[date]:
        """The batch days of the messages, which are known only once they have been read."""
        return self.messages.days if self.messages else set()

    @property
    def metadata(self) -> dict[str, int | str]:
        """Counts for the asset's page."""
        counts: dict[str, int | str] = {}
        if self.files:
            counts |= {
                "files": self.files.files,
                "files_repeated": self.files.repeated,
                "files_refused": len(self.files.refused),
                "records": self.files.records,
            }
        if self.messages:
            counts |= {
                "messages": self.messages.records,
                "messages_quarantined": self.messages.quarantined,
            }
            if self.messages.unknown:
                counts["messages_unknown_columns"] = ", ".join(sorted(self.messages.unknown))
        return counts

    def warnings(self, source: Source) -> list[str]:
        """Files that were refused or had been taken, and unknown columns of messages."""
        refused = self.files.refused if self.files else ()
        lines = [
            f"{source.name}/{masked_path(seen.file.object)} was refused: "
            f"{seen.reason}, {seen.detail}"
            for seen in refused
        ]
        lines += repeats_in_lines(self.repeated)
        if self.messages and self.messages.unknown:
            columns = ", ".join(sorted(self.messages.unknown))
            lines.append(f"{source.topic}: unknown columns, kept in _rescued: {columns}")
        return lines


def take_in_source(
    lake: Lake,
    source: Source,
    landing: Path | ObjectStore,
    run_id: str,
    *,
    brokers: Mapping[str, str] | None = None,
    days: DayRange | None = None,
    arrivals: frozenset[str] = ALL_ARRIVALS,
    progress: ProgressCallback = silent,
    zone: str = "UTC",
    notes: Path | None = None,
    identity_key: Path | None = None,
) -> Intake:
    """Take in a source's new files and messages.

    Args:
        lake: the tables.
        source: whose files and messages.
        landing: the landing zone.
        run_id: written down with each commit.
        brokers: how the Kafka brokers are reached; no messages without.
        days: only files of these batch days. Messages are taken as they come.
        arrivals: `FILES`, `MESSAGES` or both.
        progress: gets a line for every commit.
        zone: the shop's time zone, whose days batch days are.
        notes: folder of notes on the files in hand, by which a run knows what others died of.
        identity_key: the file with the key by which records of erased persons are recognised.
    """
    hash_key = None if identity_key is None else existing_key_in(identity_key)
    refuse_other_format(lake)
    refuse_other_key(lake, hash_key)
    refuse_torn(lake, (source.raw, *OPS_TABLES))
    files = messages = None
    repeated: Sequence[RepeatedFile] = ()
    if FILES in arrivals:
        listed = list_landing(landing, source.name, zone)
        due = [file for file in new_files(lake, listed) if days is None or file.batch_day in days]
        files = ingest_files(
            lake,
            source,
            due,
            run_id,
            progress=lambda done, total: progress(f"{source.raw.path}: {done} of {total} files"),
            within=lambda file, done, total: progress(
                f"{source.raw.path}: {masked_path(file.object)}: {done:,} of {total:,}"
            ),
            notes=notes,
            hash_key=hash_key,
        )
        if files.repeated:
            repeated = repeated_files(lake, source, run_id)
    if MESSAGES in arrivals and brokers and source.topic:
        messages = ingest_messages(
            lake,
            source,
            brokers,
            run_id,
            progress=lambda done, total: progress(
                f"{source.raw.path}: {done:,} of {total:,} messages"
            ),
            zone=zone,
            hash_key=hash_key,
        )
    return Intake(files, messages, repeated)
