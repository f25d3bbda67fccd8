"""HTML of product texts: made safe, freed of Magento's directives, or read as plain text.

Two functions and their parser. Harmless HTML is returned byte for byte, so that a text without
anything to remove never differs from the source. What mappings call these is in `functions.py`.
"""

import re
from collections.abc import Callable, Mapping
from html import unescape
from html.parser import HTMLParser
from urllib.parse import quote

Warn = Callable[[str, str], None]

_SUSPICIOUS = re.compile(
    r"<\s*/?\s*(script|style|object|embed|applet|form|input|button|textarea|select|link|meta|base|html|head|body)\b"
    r"|[\s/\"']on[a-z]+\s*=|s\s*c\s*r\s*i\s*p\s*t\s*:|data\s*:\s*text|&#|&(colon|tab|newline);|<!|<\?",
    re.IGNORECASE,
)
_DIRECTIVE = re.compile(r"\{\{\s*(\w+)(.*?)\}\}", re.DOTALL)
_ARGUMENT = re.compile(r"url\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|&quot;(.*?)&quot;|(\S+))")
_PICTURE = re.compile(r"<(?:img|source|video)\b[^>]*>", re.IGNORECASE)
_PICTURE_ADDRESS = re.compile(r"(\b(?:src|srcset|poster)\s*=\s*)([\"'])(.*?)\2", re.IGNORECASE | re.DOTALL)
# Stands for & while a text is cleaned: the parser would make R&D; of R&D, and read &copy=2 in an address as a sign.
_AMPERSAND = "\uffff"
# No tags within, and no end but their own: browsers too show nothing after one that is not closed.
_NO_MARKUP = frozenset({"script", "style"})
_WITH_CONTENT = frozenset({"object", "applet", "select", "textarea", "title"})
_TAG_ONLY = frozenset({"form", "input", "button", "link", "meta", "base", "embed", "html", "head", "body"})
_REMOVED = _NO_MARKUP | _WITH_CONTENT | _TAG_ONLY
_ADDRESSES = frozenset({"href", "src", "action", "formaction", "srcdoc", "xlink:href", "background"})
_BLOCKS = frozenset(
    {
        "p",
        "div",
        "br",
        "li",
        "ul",
        "ol",
        "tr",
        "table",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "section",
        "blockquote",
        "hr",
    }
)


def clean_html(html: str, media_base: str | None, warn: Warn) -> str:
    """Without scripts, event handlers and forms; `{{media}}` and `{{store}}` become addresses.

    Any other Magento directive is removed. Each kind of change is one warning.
    """
    if "{{" in html:
        html = _DIRECTIVE.sub(lambda found: _directive(found, media_base, warn), html)
    if not _SUSPICIOUS.search(html):
        return html
    cleaner = _Cleaner()
    cleaner.feed(html.replace("&", _AMPERSAND))
    cleaner.close()
    if cleaner.removed:
        warn("HTML_CLEANED", f"Removed from the text: {', '.join(sorted(cleaner.removed))}.")
    return "".join(cleaner.out).replace(_AMPERSAND, "&")


def with_image_addresses(html: str, moved: Mapping[str, str], shop: str) -> str:
    """Pictures where they are now: an address that begins as one of `moved` gets the new beginning, the longest wins.

    An address within the old shop (`/media/a.jpg`) is made a whole one with `shop` first. All else stays as it is.
    """
    beginnings = sorted(moved, key=len, reverse=True)

    def address(old: str) -> str:
        whole = shop.rstrip("/") + old if shop and old.startswith("/") and not old.startswith("//") else old
        start = next((one for one in beginnings if one and whole.startswith(one)), "")
        return moved[start] + whole[len(start) :] if start else whole

    def candidate(text: str) -> str:
        old, blank, size = text.strip().partition(" ")
        return address(old) + blank + size

    def attribute(found: re.Match[str]) -> str:
        name, quoted, value = found.group(1), found.group(2), found.group(3)
        several = name.strip().lower().startswith("srcset")
        new = ", ".join(map(candidate, value.split(","))) if several else address(value)
        return f"{name}{quoted}{new}{quoted}"

    return _PICTURE.sub(lambda tag: _PICTURE_ADDRESS.sub(attribute, tag.group()), html)


def plain_text(html: str) -> str:
    """The text alone: blocks on lines of their own, entities read, blanks collapsed."""
    if "<" not in html and "&" not in html:
        return " ".join(html.split())
    reader = _TextReader()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.out).split("\n"))
    return "\n".join(line for line in lines if line)


def _directive(found: re.Match[str], media_base: str | None, warn: Warn) -> str:
    kind, argument = found.group(1), _ARGUMENT.search(found.group(2))
    path = next((part for part in argument.groups() if part), "").lstrip("/") if argument else ""
    if kind == "media" and media_base and path:
        # The setting names the folder of product images; {{media}} starts two folders above it.
        return f"{media_base.rstrip('/').removesuffix('/catalog/product')}/{quote(path)}"
    if kind == "store":
        warn("STORE_LINK", "A link {{store}} became a path of the new shop; see that it leads somewhere.")
        return "/" + path
    warn("DIRECTIVE_REMOVED", f"Shopify does not know Magento's {{{{{kind}}}}}: removed from the text.")
    return ""


class _Cleaner(HTMLParser):
    """Writes the document again, without what may not stay.

    What is removed with its content goes when its end is read: without one, the text after it stays.
    """

    # Of later Pythons, which else read <textarea> and <title> as text: their tags would come back unseen.
    RCDATA_CONTENT_ELEMENTS = ()  # type: ignore[misc, unused-ignore]

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.out: list[str] = []
        self.removed: set[str] = set()
        # Each with the length that `out` had before it.
        self._open: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _REMOVED:
            self.removed.add(f"<{tag}>")
            if tag not in _TAG_ONLY:
                self._open.append((tag, len(self.out)))
        else:
            self.out.append(f"<{tag}{''.join(self._kept(attrs))}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _REMOVED:
            self.removed.add(f"<{tag}>")
        else:
            self.out.append(f"<{tag}{''.join(self._kept(attrs))} />")

    def _kept(self, attrs: list[tuple[str, str | None]]) -> list[str]:
        kept = []
        for name, value in attrs:
            if name.startswith("on"):
                self.removed.add(name)
            elif name in _ADDRESSES and _is_script(value or ""):
                self.removed.add(f"a script in {name}")
            else:
                kept.append(f" {name}" if value is None else ' {}="{}"'.format(name, value.replace('"', "&quot;")))
        return kept

    def handle_endtag(self, tag: str) -> None:
        if tag not in _REMOVED:
            self.out.append(f"</{tag}>")
        elif any(tag == opened for opened, _ in self._open):
            while self._open:
                opened, before = self._open.pop()
                if opened == tag:
                    del self.out[before:]
                    return

    def handle_data(self, data: str) -> None:
        if not (self._open and self._open[-1][0] in _NO_MARKUP):
            self.out.append(data)


def _is_script(address: str) -> bool:
    # Browsers read through control characters and blanks inside the scheme.
    plain = re.sub(r"[\x00-\x20]+", "", unescape(address.replace(_AMPERSAND, "&"))).lower()
    return plain.startswith(("javascript:", "vbscript:", "data:text"))


class _TextReader(HTMLParser):
    """Collects text; blocks become line breaks, scripts and styles nothing."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the parser's
        self._hidden += tag in {"script", "style"}
        if tag in _BLOCKS:
            self.out.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style"} and self._hidden > 0
        if tag in _BLOCKS:
            self.out.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.out.append(data.replace("\n", " "))
