"""Blogs, their articles, and pages.

What lives here: creating, changing and deleting them, their handles (one article's is unique
within its blog), when they are visible, and how they are searched. Messages are those of
recorded answers; that a blog's handle is taken was not recorded, its message is that of pages.
Menus are in `menus.py`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from graftport_dagster.simulator import metafields, redirects
from graftport_dagster.simulator.answers import Refused, refuse, user_error
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.handles import free_handle, handle_of
from graftport_dagster.simulator.lists import count_of, list_of
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.search import Searchable
from graftport_dagster.simulator.state import Object

_LONGEST = 255


@dataclass(frozen=True, slots=True)
class _Kind:
    """What differs between the three. `argument`: the name of the input, where errors begin."""

    argument: str
    type: str
    fields: tuple[str, ...]
    longest_handle: int = _LONGEST
    blank_code: str | None = "BLANK"
    most_bytes: int = 0
    most_said: str = ""
    too_big_code: str | None = None


_BLOG = _Kind("blog", "Blog", ("title", "commentPolicy", "templateSuffix"), blank_code=None)
_ARTICLE = _Kind(
    "article", "Article", ("title", "body", "summary", "tags", "templateSuffix"),
    longest_handle=265, most_bytes=1024**2, most_said="1 MB",
)  # fmt: skip
_PAGE = _Kind(
    "page", "Page", ("title", "body", "templateSuffix"),
    most_bytes=512 * 1024, most_said="512 KB", too_big_code="TOO_BIG",
)  # fmt: skip


def _new(call: Call, kind: _Kind, **more: Any) -> Object:
    now = call.state.now()
    return {
        "id": call.state.new_id(kind.type), "title": "", "handle": "", "templateSuffix": None, "metafields": [],
        "createdAt": now, "updatedAt": now, **more,
    }  # fmt: skip


def _write(call: Call, kind: _Kind, it: Object, given: Object) -> None:
    is_new = not it["handle"]
    errors = _problems(kind, given, is_new=is_new)
    if errors:
        raise Refused(errors)
    it.update({name: given[name] for name in kind.fields if name in given})
    _rename(call, kind, it, given)
    problems = metafields.write(call, it, given.get("metafields") or [], replace=False)
    if problems:
        raise Refused([user_error([kind.argument, "metafields", *path], text, code) for path, text, code in problems])
    it["updatedAt"] = call.state.now()
    call.state.put(it)


def _problems(kind: _Kind, given: Object, *, is_new: bool) -> list[Object]:
    errors = []
    title = given.get("title") or ""
    if (is_new or "title" in given) and not title.strip():
        errors.append(user_error([kind.argument, "title"], "Title can't be blank", kind.blank_code))
    for name, longest in (("title", _LONGEST), ("handle", kind.longest_handle)):
        if len(given.get(name) or "") > longest:
            message = f"{name.capitalize()} is too long (maximum is {longest} characters)"
            errors.append(user_error([kind.argument, name], message, "TOO_LONG"))
    if kind.most_bytes and len((given.get("body") or "").encode()) > kind.most_bytes:
        message = f"Content is too big (maximum is {kind.most_said})"
        errors.append(user_error([kind.argument, "body"], message, kind.too_big_code))
    return errors


def _space(kind: _Kind, it: Object, handle: str) -> tuple[str, str]:
    """The key under which a handle is unique."""
    return f"{kind.argument} handle", f"{it['blogId']}:{handle}" if kind is _ARTICLE else handle


def _path(call: Call, kind: _Kind, it: Object, handle: str) -> str:
    if kind is _PAGE:
        return f"/pages/{handle}"
    blog = (call.state.get(it["blogId"]) or it)["handle"] if kind is _ARTICLE else handle
    return f"/blogs/{blog}/{handle}" if kind is _ARTICLE else f"/blogs/{blog}"


def _rename(call: Call, kind: _Kind, it: Object, given: Object) -> None:
    def taken(handle: str) -> bool:
        return any(gid != it["id"] for gid in call.state.find(*_space(kind, it, handle)))

    wanted = handle_of(given.get("handle") or "")
    if not wanted:
        it["handle"] = it["handle"] or free_handle(handle_of(it["title"]), taken)
        return
    if taken(wanted):
        # Of the codes for blogs none says taken.
        code = "INVALID" if kind is _BLOG else "TAKEN"
        raise refuse([kind.argument, "handle"], "Handle has already been taken", code)
    if it["handle"] and it["handle"] != wanted and given.get("redirectNewHandle"):
        redirects.make(call, _path(call, kind, it, it["handle"]), _path(call, kind, it, wanted))
    it["handle"] = wanted


def _publish(call: Call, kind: _Kind, it: Object, given: Object) -> None:
    """Visible at once unless it is said otherwise; a date to come keeps it hidden until then."""
    visible, moment = given.get("isPublished"), given.get("publishDate")
    if moment is not None and visible and _is_ahead(call, moment):
        message = "Can’t set isPublished to true and also set a future publish date."
        raise refuse([kind.argument], message, "INVALID_PUBLISH_DATE")
    if moment is not None and (visible is not False or _is_ahead(call, moment)):
        it["publishedAt"] = moment
    elif visible is False:
        it["publishedAt"] = None
    elif (visible or not it["handle"]) and (it["publishedAt"] is None or _is_ahead(call, it["publishedAt"])):
        it["publishedAt"] = call.state.now()


def _is_ahead(call: Call, moment: str) -> bool:
    return _moment(moment) > _moment(call.state.now())


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _visible(call: Call, it: Object, _: Arguments) -> bool:
    return it["publishedAt"] is not None and not _is_ahead(call, it["publishedAt"])


def _taken_out(call: Call, kind: _Kind, gid: str) -> Object:
    it = call.take(gid, kind.type)
    if it is None:
        raise refuse(["id"], f"{kind.type} does not exist", "NOT_FOUND")
    return it


def _create_blog(call: Call, arguments: Arguments) -> Object:
    blog = _new(call, _BLOG, commentPolicy="CLOSED")
    _write(call, _BLOG, blog, arguments["blog"])
    return {"blog": blog}


def _update_blog(call: Call, arguments: Arguments) -> Object:
    blog, given = _taken_out(call, _BLOG, arguments["id"]), arguments["blog"]
    before = blog["handle"]
    _write(call, _BLOG, blog, given)
    if given.get("redirectArticles") and blog["handle"] != before:
        for gid in call.state.find("articles of", blog["id"]):
            handle = (call.state.get(gid) or {})["handle"]
            redirects.make(call, f"/blogs/{before}/{handle}", f"/blogs/{blog['handle']}/{handle}")
    return {"blog": blog}


def _delete_blog(call: Call, arguments: Arguments) -> Object:
    blog = _taken_out(call, _BLOG, arguments["id"])
    for gid in call.state.find("articles of", blog["id"]):
        if (article := call.state.get(gid)) is not None:
            call.state.delete(article)
    call.state.delete(blog)
    return {"deletedBlogId": blog["id"]}


def _create_article(call: Call, arguments: Arguments) -> Object:
    given, of_blog = arguments["article"], arguments.get("blog")
    _check_author(given["author"], "create")
    article = _new(
        call, _ARTICLE, body="", summary=None, tags=[], author=None, image=None, publishedAt=None,
        blogId=_blog_of(call, given, of_blog),
    )  # fmt: skip
    _fill_article(call, article, given)
    return {"article": article}


def _update_article(call: Call, arguments: Arguments) -> Object:
    article, given = _taken_out(call, _ARTICLE, arguments["id"]), arguments["article"]
    if given.get("author") is not None:
        _check_author(given["author"], "update")
    if given.get("blogId") is not None or arguments.get("blog") is not None:
        article["blogId"] = _blog_of(call, given, arguments.get("blog"))
    _fill_article(call, article, given)
    return {"article": article}


def _fill_article(call: Call, article: Object, given: Object) -> None:
    if "image" in given:
        _put_image(article, given["image"])
    if given.get("author") is not None:
        article["author"] = {"name": given["author"]["name"]}
    _publish(call, _ARTICLE, article, given)
    _write(call, _ARTICLE, article, given)


def _put_image(article: Object, given: Object | None) -> None:
    if given is not None and not given.get("url") and article["image"] is None:
        message = "Cannot update image alt text without an existing image or providing a new image URL"
        raise refuse(["article", "image"], message, "INVALID")
    article["image"] = None if given is None else {**(article["image"] or {}), **given}


def _check_author(author: Object, verb: str) -> None:
    if author.get("name") and author.get("userId"):
        message = f"Can't {verb} an article author if both author name and user ID are supplied."
        raise refuse(["article"], message, "AMBIGUOUS_AUTHOR")
    if author.get("userId"):
        raise refuse(["article"], "User must exist if a user ID is supplied.", "AUTHOR_MUST_EXIST")
    if not author.get("name"):
        message = "Can't create an article if both author name and user ID are blank."
        raise refuse(["article"], message, "AUTHOR_FIELD_REQUIRED")


def _blog_of(call: Call, given: Object, of_blog: Object | None) -> str:
    gid = given.get("blogId")
    if gid and of_blog:
        message = "Can't create a blog from input if a blog ID is supplied."
        raise refuse(["article"], message, "AMBIGUOUS_BLOG")
    if of_blog:
        return str(_create_blog(call, {"blog": of_blog})["blog"]["id"])
    if not gid:
        message = "Must reference or create a blog when creating an article."
        raise refuse(["article"], message, "BLOG_REFERENCE_REQUIRED")
    if call.take(gid, "Blog") is None:
        raise refuse(["article"], "Must reference an existing blog.", "NOT_FOUND")
    return str(gid)


def _delete_article(call: Call, arguments: Arguments) -> Object:
    article = _taken_out(call, _ARTICLE, arguments["id"])
    call.state.delete(article)
    return {"deletedArticleId": article["id"]}


def _create_page(call: Call, arguments: Arguments) -> Object:
    page, given = _new(call, _PAGE, body="", publishedAt=None), arguments["page"]
    _publish(call, _PAGE, page, given)
    _write(call, _PAGE, page, given)
    return {"page": page}


def _update_page(call: Call, arguments: Arguments) -> Object:
    page, given = _taken_out(call, _PAGE, arguments["id"]), arguments["page"]
    _publish(call, _PAGE, page, given)
    _write(call, _PAGE, page, given)
    return {"page": page}


def _delete_page(call: Call, arguments: Arguments) -> Object:
    page = _taken_out(call, _PAGE, arguments["id"])
    call.state.delete(page)
    return {"deletedPageId": page["id"]}


def _values(it: Object, field: str) -> Iterable[Any] | None:
    values = {
        "id": [it["id"].rpartition("/")[2], it["id"]], "handle": [it["handle"]], "title": [it["title"]],
        "default": [it["title"], it["handle"]], "created_at": [it["createdAt"]], "updated_at": [it["updatedAt"]],
        "published_at": [it.get("publishedAt")], "tag": it.get("tags", ()),
        "blog_id": [str(it.get("blogId", "")).rpartition("/")[2]], "author": [(it.get("author") or {}).get("name")],
    }  # fmt: skip
    return values.get(field)


BLOGS = Searchable("Blog", _values, {"handle": "blog handle"})
ARTICLES = Searchable("Article", _values, {"handle": "article handles"})
PAGES = Searchable("Page", _values, {"handle": "page handle"})


def _keys_of(kind: _Kind, it: Object) -> Iterable[tuple[str, str]]:
    yield _space(kind, it, it["handle"])
    if kind is _ARTICLE:
        yield "article handles", it["handle"]
        yield "articles of", it["blogId"]
    yield from metafields.keys_of(it)


def _articles(call: Call, blog: Object, arguments: Arguments) -> Object:
    found = [call.state.get(gid) for gid in call.state.find("articles of", blog["id"])]
    return page_of(found, arguments)


def _article_tags(call: Call, blog: Object, _: Arguments) -> list[str]:
    found = (call.state.get(gid) for gid in call.state.find("articles of", blog["id"]))
    return sorted({tag for article in found if article for tag in article["tags"] or ()})


def _image(_: Call, article: Object, __: Arguments) -> Object | None:
    image = article["image"]
    if not image or not image.get("url"):
        return None
    source = image["url"]
    return {"id": None, "url": source, "src": source, "originalSrc": source, "altText": image.get("altText")}


PART = Part(
    queries={
        "blog": lambda call, _, it: call.take(it["id"], "Blog"),
        "article": lambda call, _, it: call.take(it["id"], "Article"),
        "page": lambda call, _, it: call.take(it["id"], "Page"),
        "blogs": list_of(BLOGS), "articles": list_of(ARTICLES), "pages": list_of(PAGES),
        "blogsCount": count_of(BLOGS), "pagesCount": count_of(PAGES),
    },
    mutations={
        "blogCreate": _create_blog, "blogUpdate": _update_blog, "blogDelete": _delete_blog,
        "articleCreate": _create_article, "articleUpdate": _update_article, "articleDelete": _delete_article,
        "pageCreate": _create_page, "pageUpdate": _update_page, "pageDelete": _delete_page,
    },
    fields={
        "Article.blog": lambda call, it, _: call.state.get(it["blogId"]),
        "Article.image": _image,
        "Article.isPublished": _visible,
        "Page.isPublished": _visible,
        "Page.bodySummary": lambda _, it, __: re.sub(r"<[^>]*>", " ", it["body"] or "").strip()[:150],
        "Blog.articles": _articles,
        "Blog.articlesCount": lambda call, it, _: {
            "count": len(call.state.find("articles of", it["id"])), "precision": "EXACT",
        },
        "Blog.tags": _article_tags,
    },
    keys={
        "Blog": lambda it: _keys_of(_BLOG, it), "Article": lambda it: _keys_of(_ARTICLE, it),
        "Page": lambda it: _keys_of(_PAGE, it),
    },
)  # fmt: skip
