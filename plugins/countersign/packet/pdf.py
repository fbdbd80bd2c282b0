"""From HTML to PDF/A-3a and PDF/UA-1: WeasyPrint, then the repairs of `finish`.

The same HTML, attachments, meta and environment give the same bytes. Nothing is fetched: the
page may load our own fonts and marks, from memory, and anything else is refused. WeasyPrint reads
two settings from the process environment, so a process renders one packet at a time.
"""

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import weasyprint
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from countersign.errors import ConfigError
from countersign.packet import finish, fonts, reports
from countersign.packet.finish import Attachment

_ORIGIN: Final = "https://packet.invalid/"
"""A name that RFC 2606 keeps from ever existing; addresses below it are served from memory."""
_MEDIA: Final = {"woff2": "font/woff2", "svg": "image/svg+xml"}
_UA_EXTENSION: Final = b"""<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"><pdfuaid:part>1</pdfuaid:part></rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#"><pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource"><pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema><pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI><pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource"><pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType><pdfaProperty:category>internal</pdfaProperty:category><pdfaProperty:description>Part of ISO 14289 to which the document conforms</pdfaProperty:description></rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>
</rdf:RDF>"""  # noqa: E501 - one line per description, as it stands in the file


@dataclass(frozen=True, slots=True)
class Meta:
    """What is not in the HTML: the file's identifier, its date, and where its fonts are.

    `fallback_fonts` are font files for scripts that Plex lacks; they are part of the
    environment digest.
    """

    identifier: str
    created_us: int
    reports_folder: Path | None = None
    fallback_fonts: tuple[Path, ...] = ()


class RefusedFetchError(FatalURLFetchingError):  # type: ignore[misc]  # WeasyPrint is untyped
    """The page asked for something that is not ours."""


class OwnAssets(URLFetcher):  # type: ignore[misc]  # likewise
    """Serves fonts and marks from memory; refuses every other address, and stops the rendering."""

    def __init__(self, assets: Mapping[str, bytes]) -> None:
        super().__init__(allowed_protocols=())
        self._assets = assets

    def fetch(self, url: str, headers: object = None) -> URLFetcherResponse:
        """The asset of that name.

        Raises:
            RefusedFetchError: the address is not one of our assets.
        """
        del headers
        name = urlsplit(url).path.lstrip("/")
        if not url.startswith(_ORIGIN) or name not in self._assets:
            raise RefusedFetchError(f"the packet may load only its own fonts and marks, not {url}")
        media = _MEDIA[name.rpartition(".")[2]]
        return URLFetcherResponse(url, self._assets[name], {"Content-Type": media})


def render(html: str, attachments: tuple[Attachment, ...], meta: Meta) -> bytes:
    """The unsigned packet.

    Raises:
        ConfigError: the page declares no font; Pango crashes the process when it has none.
        RefusedFetchError: the page asks for anything but our fonts and marks.
    """
    if "@font-face" not in html:
        raise ConfigError(
            "page.css",
            expected="@font-face rules for the fonts it uses",
            observed="none",
            remedy="Keep those of the packaged page.css.",
        )
    assets = reports.assets(meta.reports_folder)
    own = [content for name, content in assets.items() if name.startswith("fonts/")]
    extra = [file.read_bytes() for file in meta.fallback_fonts]
    text = fonts.replace_unprintable(html, fonts.printable(own, extra))
    with _environment(meta):
        raw = _weasyprint(text, assets, meta)
    return finish.finish(raw, attachments, meta.created_us)


def _weasyprint(html: str, assets: Mapping[str, bytes], meta: Meta) -> bytes:
    configuration = FontConfiguration()
    page = weasyprint.HTML(string=html, base_url=_ORIGIN, url_fetcher=OwnAssets(assets))
    document = page.render(font_config=configuration)
    _name_both_standards(document.metadata)
    return bytes(
        document.write_pdf(pdf_variant="pdf/a-3a", pdf_identifier=meta.identifier.encode())
    )


def _name_both_standards(metadata: Any) -> None:
    """WeasyPrint names one standard; the file meets PDF/UA-1 too and must say so in its XMP."""
    written = metadata.generate_rdf_metadata

    def both(variant: str, version: int, conformance: str) -> bytes:
        rdf: bytes = written(variant, version, conformance)
        return rdf.replace(b"</rdf:RDF>", _UA_EXTENSION)

    metadata.generate_rdf_metadata = both


@contextmanager
def _environment(meta: Meta) -> Iterator[None]:
    """Only our fonts for fontconfig, and a fixed date for the subset fonts."""
    with tempfile.TemporaryDirectory(prefix="countersign-fonts-") as folder:
        file = Path(folder) / "fonts.conf"
        file.write_text(_fontconfig(Path(folder), meta.fallback_fonts), encoding="utf-8")
        changed = {
            "FONTCONFIG_FILE": str(file),
            "SOURCE_DATE_EPOCH": str(meta.created_us // 1_000_000),
        }
        before = {name: os.environ.get(name) for name in changed}
        os.environ.update(changed)
        logger = logging.getLogger("fontTools")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _fontconfig(folder: Path, fallback: tuple[Path, ...]) -> str:
    for number, font in enumerate(fallback):
        (folder / f"{number}-{font.name}").symlink_to(font.resolve())
    return (
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">'
        f"<fontconfig><dir>{folder}</dir><cachedir>{folder}/cache</cachedir></fontconfig>"
    )
