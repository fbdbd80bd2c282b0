"""What WeasyPrint leaves to do on a tagged PDF, with pikepdf; the result is what gets signed.

Attachments with dates and a sorted name tree, figures' boxes in the page's own units, scopes and
an index for table headers, and object streams of a size that signers read quickly.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import pikepdf
from pikepdf import Array, Dictionary, Name, ObjectStreamMode, String

from countersign.model import moment

_PX_TO_PT: Final = 0.75


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside the packet; `relationship` is the PDF/A-3 word (Data, Source, Supplement)."""

    name: str
    content: bytes
    media_type: str
    description: str
    relationship: str = "Data"


def finish(raw: bytes, attachments: tuple[Attachment, ...], created_us: int) -> bytes:
    """The repaired PDF; the same input gives the same bytes."""
    with pikepdf.open(BytesIO(raw)) as pdf:
        _attach(pdf, attachments, created_us)
        elements = list(_elements(pdf.Root.StructTreeRoot))
        for element in elements:
            if element.get("/S") == Name.Figure:
                _figure_box(element)
        _index_headers(pdf, elements)
        out = BytesIO()
        pdf.save(
            out,
            object_stream_mode=ObjectStreamMode.generate,
            deterministic_id=True,
            preserve_pdfa=True,
            linearize=False,
        )
        return out.getvalue()


def _attach(pdf: pikepdf.Pdf, attachments: tuple[Attachment, ...], created_us: int) -> None:
    stamp = String(moment(created_us).strftime("D:%Y%m%d%H%M%SZ"))
    names, files = Array(), Array()
    for attachment in sorted(attachments, key=lambda a: a.name.encode("utf-16-be")):
        stream = pdf.make_stream(attachment.content)
        stream.Type = Name.EmbeddedFile
        stream.Subtype = Name(f"/{attachment.media_type}")
        stream.Params = Dictionary(
            Size=len(attachment.content),
            CreationDate=stamp,
            ModDate=stamp,
            CheckSum=String(hashlib.md5(attachment.content, usedforsecurity=False).digest()),
        )
        file = pdf.make_indirect(
            Dictionary(
                Type=Name.Filespec,
                F=String(attachment.name),
                UF=String(attachment.name),
                Desc=String(attachment.description),
                AFRelationship=Name(f"/{attachment.relationship}"),
                EF=Dictionary(F=stream, UF=stream),
            )
        )
        names.extend([String(attachment.name), file])
        files.append(file)
    if attachments:
        pdf.Root.AF = files
        root_names = pdf.Root.get("/Names", Dictionary())
        root_names.EmbeddedFiles = Dictionary(Names=names)
        pdf.Root.Names = root_names


def _elements(node: Any) -> Iterator[Any]:
    """Every structure element below a node, in reading order."""
    pending = [node]
    while pending:
        element = pending.pop()
        if element.get("/Type") == Name.StructElem:
            yield element
        kids = element.get("/K")
        below = list(kids) if isinstance(kids, Array) else [kids]
        pending += [kid for kid in reversed(below) if isinstance(kid, Dictionary)]


def _figure_box(element: Any) -> None:
    """WeasyPrint writes CSS pixels from the top; PDF counts points from the bottom."""
    page = element.Pg
    height = float(page.MediaBox[3])
    left, top, right, bottom = (float(edge) * _PX_TO_PT for edge in element.A.BBox)
    box = (left, height - bottom, right, height - top)
    element.A.BBox = Array([round(edge, 3) for edge in box])


def _index_headers(pdf: pikepdf.Pdf, elements: list[Any]) -> None:
    """Give each `TH` a scope and a name that is unique in the file, and index the names."""
    index: dict[str, Any] = {}
    for number, table in enumerate(e for e in elements if e.get("/S") == Name.Table):
        cells = [e for e in _elements(table) if e.get("/S") in {Name.TH, Name.TD}]
        for cell in cells:
            if cell.get("/S") == Name.TH and "/ID" in cell:
                name = f"t{number:04d}-{cell.ID}"
                cell.ID = String(name)
                cell.A.Scope = Name.Row if _heads_row(cell) else Name.Column
                index[name] = cell
            elif "/Headers" in cell.get("/A", Dictionary()):
                cell.A.Headers = Array([String(f"t{number:04d}-{head}") for head in cell.A.Headers])
    if index:
        pairs = Array()
        for name in sorted(index):
            pairs.extend([String(name), index[name]])
        limits = Array([String(min(index)), String(max(index))])
        leaf = pdf.make_indirect(Dictionary(Names=pairs, Limits=limits))
        pdf.Root.StructTreeRoot.IDTree = Dictionary(Kids=Array([leaf]))


def _heads_row(cell: Any) -> bool:
    """A header cell below `TBody` heads its row."""
    return bool(cell.P.P.get("/S") != Name.THead)
