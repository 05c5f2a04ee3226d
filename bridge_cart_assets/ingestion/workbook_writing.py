"""Records as a workbook (.xlsx): one sheet, a header, every value as text.

Belongs here: the few parts that a workbook cannot do without (ECMA-376). Does not belong here:
reading one (`workbooks`). What a workbook has beside its records, colours and formulas, is lost.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl

from bridge_cart_assets.sources import Source

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_TYPES}"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def write_workbook(path: Path, records: pl.DataFrame, source: Source) -> None:
    """Write records, as `readers` gives them, as a workbook; blank ones are left out."""
    rescued = [json.loads(text) if text else {} for text in records["_rescued"]]
    unknown = sorted({name for fields in rescued for name in fields})
    known = [n for n in source.columns if n in source.required or records[n].count()]
    rows = (
        [*values, *(fields.get(name) for name in unknown)] if status == "ok" else [text]
        for values, fields, status, text in zip(
            records.select(known).iter_rows(),
            rescued,
            records["_status"],
            records["_raw"],
            strict=True,
        )
        if status != "blank"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in _PARTS.items():
            book.writestr(name, _HEAD + text)
        with book.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for piece in _sheet([[*known, *unknown], *rows]):
                sheet.write(piece.encode())


def _sheet(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    yield f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'
    for row in rows:
        cells = (
            "<c/>"
            if value is None
            else f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'
            for value in row
        )
        yield f"<row>{''.join(cells)}</row>"
    yield "</sheetData></worksheet>"
