"""HTML of product texts: what goes, what stays byte for byte, what becomes text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftport_dagster.mappings.html import clean_html, plain_text, with_image_addresses


def cleaned(html: str, base: str | None = None) -> tuple[str, list[str]]:
    warnings: list[tuple[str, str]] = []
    result = clean_html(html, base, lambda code, message: warnings.append((code, message)))
    return result, [code for code, _ in warnings]


@pytest.mark.parametrize(
    "html",
    [
        "<p>Soft &amp; warm.<br />&bull; Machine wash</p>",
        '<ul class="x"><li>A</li></ul><img src="https://a.example/b.jpg" alt="">',
        "no tags, 3 < 4",
        '<iframe src="https://video.example/1"></iframe>',
        "",
    ],
)
def test_harmless_html_stays_as_it_is(html: str) -> None:
    assert cleaned(html) == (html, [])


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>a</p><script>alert('x < y')</script><p>b</p>", "<p>a</p><p>b</p>"),
        ("<SCRIPT src=x></SCRIPT >c", "c"),
        ('<a href="java\tscript:x()">d</a>', "<a>d</a>"),
        ('<img src=x onerror="alert(1)">', '<img src="x">'),
        ('<img/onerror=alert(1) src="x">', '<img src="x">'),
        ("<style>p{}</style><p>e</p>", "<p>e</p>"),
        ('<form action="/x">f<input name="y"></form>', "f"),
        ("<!-- pagebuilder --><p>g</p>", "<p>g</p>"),
        ("<object><object></object><p>h</p></object>i", "i"),
        ('<a href="&#106;avascript:x()">j</a>', "<a>j</a>"),
        ("<p>&#39;k&nbsp;</p><script></script>", "<p>&#39;k&nbsp;</p>"),
    ],
)
def test_what_could_run_is_removed(html: str, expected: str) -> None:
    assert cleaned(html)[0] == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<head><p>a</p>", "<p>a</p>"),
        ("<html><head><title>t</title></head><body>b</body></html>", "b"),
        ("<p>c</p><select><option>S<p>d</p>", "<p>c</p><option>S<p>d</p>"),
        ("<select><option>S</option></select><p>e</p>", "<p>e</p>"),
        ("<object><p>f</p></object><object><p onclick=x()>g</p>", "<p>g</p>"),
        ("<textarea><p>h</p><script>x()</script>", "<p>h</p>"),
        ("<title>t<title>u</title>i<base>", "ti"),
        ("j<style>p{}<p>k</p>", "j"),
    ],
)
def test_a_text_stays_where_a_tag_around_it_is_never_closed(html: str, expected: str) -> None:
    assert cleaned(html)[0] == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>It&#8217;s AT&T, R&D & more</p>", "<p>It&#8217;s AT&T, R&D & more</p>"),
        ("<!-- x -->Research & R&D", "Research & R&D"),
        ("<a href='?a=1&copy=2&amp;b=3'>&#8217;</a>", '<a href="?a=1&copy=2&amp;b=3">&#8217;</a>'),
        ("<a title='6\" &amp; 8\"' onclick=x()>c</a>", '<a title="6&quot; &amp; 8&quot;">c</a>'),
    ],
)
def test_ampersands_and_entities_stay_as_they_were_written(html: str, expected: str) -> None:
    assert cleaned(html)[0] == expected


def test_media_directives_become_addresses() -> None:
    html = '<img src="{{media url="wysiwyg/a b.jpg"}}"> {{media url=&quot;c.jpg&quot;}}'
    assert cleaned(html, "https://shop.example/media/catalog/product") == (
        '<img src="https://shop.example/media/wysiwyg/a%20b.jpg"> https://shop.example/media/c.jpg', [],
    )  # fmt: skip


def test_other_directives_go_with_a_warning() -> None:
    assert cleaned("a{{store direct_url='men.html'}}b") == ("a/men.htmlb", ["STORE_LINK"])
    assert cleaned('a{{widget type="x"}}b') == ("ab", ["DIRECTIVE_REMOVED"])
    assert cleaned('a{{media url="x.jpg"}}b') == ("ab", ["DIRECTIVE_REMOVED"])


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Warm &amp; soft</p><p>Wash cold</p>", "Warm & soft\nWash cold"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>x</li> <li>y</li></ul>", "x\ny"),
        ("<style>p{}</style><script>1</script>z", "z"),
        ("  plain   text ", "plain text"),
        ("1 &lt; 2", "1 < 2"),
        ("a\nb", "a b"),
    ],
)
def test_text_is_what_a_reader_sees(html: str, text: str) -> None:
    assert plain_text(html) == text


@given(st.text(alphabet="<>/=\"' abonclickjavascript:&#;!-{}\n\t", max_size=60))
def test_cleaning_never_fails_and_leaves_no_script(html: str) -> None:
    result, _ = cleaned(html)
    assert "<script" not in result.lower()
    plain_text(html)


MOVED = {
    "https://old.example/media/": "https://cdn.example/",
    "https://old.example/media/wysiwyg/": "https://w.example/",
}


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<img alt="x" src="https://old.example/media/a.jpg">', '<img alt="x" src="https://cdn.example/a.jpg">'),
        ("<IMG SRC='/media/wysiwyg/a b.jpg'/>", "<IMG SRC='https://w.example/a b.jpg'/>"),
        ('<img src="/pub/x.png">', '<img src="https://old.example/pub/x.png">'),
        (
            '<img srcset="/media/a.jpg 1x, https://b.example/c.jpg 2x" src="//b.example/c.jpg">',
            '<img srcset="https://cdn.example/a.jpg 1x, https://b.example/c.jpg 2x" src="//b.example/c.jpg">',
        ),
        ('<a href="/media/a.jpg">src="/media/a.jpg"</a>', '<a href="/media/a.jpg">src="/media/a.jpg"</a>'),
    ],
)
def test_pictures_are_named_where_they_are_now_and_nothing_else_is_touched(html: str, expected: str) -> None:
    assert with_image_addresses(html, MOVED, "https://old.example") == expected


def test_without_settings_pictures_stay_as_they_are() -> None:
    html = '<p><img src="/media/a.jpg"></p>'
    assert with_image_addresses(html, {}, "") == html
