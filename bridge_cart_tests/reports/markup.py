"""The pages' HTML as a tree, so that a test can ask for one figure."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

_VOID = {"meta", "link", "br", "hr", "img", "input"}


class Markup(HTMLParser):
    """A page; refuses tags that are closed in another order than they were opened."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self._builder = ET.TreeBuilder()
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []
        self.root = self._builder.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in _VOID:
            self._builder.end(tag)
        else:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self._builder.end(tag)

    def handle_data(self, data: str) -> None:
        if self._open:
            self._builder.data(data)

    def __getitem__(self, identifier: str) -> ET.Element:
        """The element with an id."""
        (found,) = self.root.findall(f".//*[@id='{identifier}']")
        return found

    def all(self, path: str) -> list[ET.Element]:
        """All elements on a path."""
        return self.root.findall(path)


def first_of(element: ET.Element, path: str) -> ET.Element:
    """The first element on a path, which has to be there."""
    found = element.find(path)
    assert found is not None, f"there is no {path}"
    return found


def text(element: ET.Element) -> str:
    """All text of an element, white space as one blank; a narrow blank in a number stays."""
    return re.sub(r"[ \n]+", " ", "".join(element.itertext())).strip()


def values(element: ET.Element) -> list[str | None]:
    """The machine-readable values of the figures in an element; None where there is none."""
    shown = [e for e in element.iter() if e.tag == "data" or e.get("class") == "nothing"]
    return [e.get("value") for e in shown]
