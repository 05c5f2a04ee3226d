"""Workbooks (.xlsx) written cell by cell, as programs write them that are not Excel."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
FORMATS = ("General", "yyyy-mm-dd", "dd/mm/yyyy hh:mm", "h:mm", "00000")

# A text, a number as it stands in the file, (number, format), or raw XML behind `<c r=""`.
Cell = str | int | float | tuple[float, str] | bytes | None


def workbook(
    sheets: Mapping[str, Sequence[Sequence[Cell]]], *, counts_from_1904: bool = False
) -> bytes:
    """A workbook of these sheets: rows of cells."""
    data = io.BytesIO()
    numbers = range(1, len(sheets) + 1)
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:

        def write(name: str, xml: str) -> None:
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}')

        types = "application/vnd.openxmlformats-package.relationships+xml"
        write(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f'<Default Extension="rels" ContentType="{types}"/>'
            '<Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        write("_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")]))
        targets = [("worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
        write("xl/_rels/workbook.xml.rels", _relations([*targets, ("styles", "styles.xml")]))
        epoch = '<workbookPr date1904="1"/>' if counts_from_1904 else ""
        names = "".join(
            f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"/>'
            for n, name in zip(numbers, sheets, strict=True)
        )
        write(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{epoch}<sheets>{names}</sheets>'
            "</workbook>",
        )
        formats = "".join(
            f'<numFmt numFmtId="{164 + n}" formatCode="{code}"/>' for n, code in enumerate(FORMATS)
        )
        styles = "".join(
            f'<xf numFmtId="{164 + n if n else 0}" applyNumberFormat="1"/>'
            for n, _ in enumerate(FORMATS)
        )
        write(
            "xl/styles.xml",
            f'<styleSheet xmlns="{MAIN}"><numFmts>{formats}</numFmts><cellXfs>{styles}</cellXfs>'
            "</styleSheet>",
        )
        for n, rows in zip(numbers, sheets.values(), strict=True):
            body = "".join(_row(at, row) for at, row in enumerate(rows, 1))
            write(
                f"xl/worksheets/sheet{n}.xml",
                f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>',
            )
    return data.getvalue()


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    inner = "".join(
        f'<Relationship Id="rId{n}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}">{inner}</Relationships>'


def _row(at: int, cells: Sequence[Cell]) -> str:
    inner = "".join(
        _cell(f"{chr(65 + column)}{at}", cell)
        for column, cell in enumerate(cells)
        if cell is not None
    )
    return f'<row r="{at}">{inner}</row>'


def _cell(place: str, cell: Cell) -> str:
    if isinstance(cell, bytes):
        return f'<c r="{place}" {cell.decode()}</c>'
    if isinstance(cell, tuple):
        return f'<c r="{place}" s="{FORMATS.index(cell[1])}"><v>{cell[0]!r}</v></c>'
    if isinstance(cell, str):
        return (
            f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
        )
    return f'<c r="{place}"><v>{cell!r}</v></c>'
