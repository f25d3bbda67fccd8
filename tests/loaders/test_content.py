"""Articles and pages land once, in a blog that is made once, and never over somebody else's."""

import threading
import time
from typing import Any

import pytest

from graftport_dagster.loaders.blog_homes import BlogHomes
from graftport_dagster.records import ResourceType

BLOGS = ResourceType.BLOGS
World = Any


def outcomes(tally: Any) -> dict[str, int]:
    assert tally.fatal is None
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def article(handle: str = "hello", *, blog: str = "news", **more: Any) -> dict[str, Any]:
    return {
        "input": {
            "title": handle.title(), "handle": handle, "author": {"name": "Ann"}, "body": "<p>x</p>",
            "summary": "<p>s</p>", "tags": ["a"], "isPublished": True, "publishDate": "2024-01-01T00:00:00Z",
            "image": {"url": "https://cdn.example/a.jpg", "altText": "a"},
            "metafields": [{"namespace": "global", "key": "title_tag", "type": "single_line_text_field", "value": "T"}],
            **more,
        },
        "blog": {"title": blog.title(), "handle": blog},
    }  # fmt: skip


def page(handle: str = "about", **more: Any) -> dict[str, Any]:
    return {
        "input": {"title": handle.title(), "handle": handle, "body": "<p>x</p>", "isPublished": True, **more},
        "content_type": "page",
    }


def merchant_writes(world: World, handle: str, blog: str) -> str:
    query = "mutation($a: ArticleCreateInput!) { articleCreate(article: $a) { article { id } } }"
    given = {"title": handle, "handle": handle, "blogId": blog, "author": {"name": "Bob"}}
    return str(world.graphql(query, a=given)["articleCreate"]["article"]["id"])


def handles(world: World, kind: str) -> list[str]:
    return sorted(one["handle"] for one in world.objects(kind))


def test_articles_and_pages_land_in_one_call_each_and_a_second_load_sends_nothing(world: World) -> None:
    world.stage(BLOGS, {
        "1": article(), "2": article("again"), "3": article("hello", blog="tips"), "4": page(), "5": article("more"),
    })  # fmt: skip
    assert outcomes(world.load(BLOGS)) == {"created": 5}
    assert handles(world, "Blog") == ["news", "tips"]
    assert handles(world, "Article") == ["again", "hello", "hello", "more"]
    one = next(it for it in world.objects("Article") if it["handle"] == "again")
    assert (one["author"]["name"], one["publishedAt"], one["tags"]) == ("Ann", "2024-01-01T00:00:00Z", ["a"])
    assert {it["key"]: it["value"] for it in one["metafields"]} == {"title_tag": "T", "source_id": "magento:blogs:2"}
    writes = len(world.writes())
    assert writes - world.calls().count("metafieldDefinitionCreate") == 7
    assert outcomes(world.load(BLOGS)) == {}
    assert len(world.writes()) == writes


def test_an_update_changes_the_article_and_may_move_it_to_another_blog(world: World) -> None:
    world.stage(BLOGS, {"1": article(), "2": page()})
    world.load(BLOGS)
    world.stage(BLOGS, {"1": article(blog="tips", body="<p>new</p>"), "2": page(body="<p>new</p>")})
    assert outcomes(world.load(BLOGS)) == {"updated": 2}
    (one,) = world.objects("Article")
    blogs = {it["id"]: it["handle"] for it in world.objects("Blog")}
    assert (one["body"], blogs[one["blogId"]]) == ("<p>new</p>", "tips")
    assert world.objects("Page")[0]["body"] == "<p>new</p>"


def test_a_blog_that_is_there_is_used(world: World) -> None:
    query = "mutation($b: BlogCreateInput!) { blogCreate(blog: $b) { blog { id } } }"
    world.graphql(query, b={"title": "News of the shop", "handle": "news"})
    world.stage(BLOGS, {"1": article()})
    assert outcomes(world.load(BLOGS)) == {"created": 1}
    assert [it["title"] for it in world.objects("Blog")] == ["News of the shop"]


@pytest.mark.parametrize("operation", ["blogCreate", "articleCreate", "pageCreate"])
@pytest.mark.parametrize("fault", ["hangup_after_commit", "truncated_json"])
def test_a_lost_answer_makes_nothing_twice(world: World, operation: str, fault: str) -> None:
    world.fault(fault, operation)
    world.stage(BLOGS, {"1": article(), "2": page()})
    world.load(BLOGS)
    world.load(BLOGS)
    assert (handles(world, "Blog"), handles(world, "Article"), handles(world, "Page")) == (
        ["news"],
        ["hello"],
        ["about"],
    )
    assert world.incomplete() == []


def test_two_processes_make_one_blog(world: World) -> None:
    shops = [world.shop() for _ in range(4)]
    found: list[str] = []

    def make(shop: Any) -> None:
        found.append(BlogHomes().home({"title": "News", "handle": "news"}, shop, own_id="magento:blogs:blog:news"))

    threads = [threading.Thread(target=make, args=(shop,)) for shop in shops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for shop in shops:
        shop.close()
    assert handles(world, "Blog") == ["news"]
    assert len(found) == 4
    assert len(set(found)) == 1


def test_a_handle_that_is_there_already_is_an_error_unless_it_may_be_adopted(world: World) -> None:
    world.stage(BLOGS, {"0": article("first")})
    world.load(BLOGS)
    gid = merchant_writes(world, "hello", world.objects("Blog")[0]["id"])
    world.stage(BLOGS, {"0": article("first"), "1": article()})
    assert outcomes(world.load(BLOGS)) == {"errored": 1}
    (incomplete,) = world.incomplete()
    assert incomplete["code"] == "ALREADY_THERE"
    assert gid in incomplete["message"]
    world.options(adopt_existing="by_natural_key")
    assert outcomes(world.load(BLOGS)) == {"adopted": 1}
    one = next(it for it in world.objects("Article") if it["id"] == gid)
    assert one["author"]["name"] == "Ann"
    assert [it["value"] for it in one["metafields"] if it["key"] == "source_id"] == ["magento:blogs:1"]


def test_another_records_article_is_never_taken_over(world: World) -> None:
    world.options(adopt_existing="by_natural_key")
    world.stage(BLOGS, {"1": article(), "2": page()})
    world.load(BLOGS)
    world.fault("hangup_after_commit", "articleCreate")
    world.stage(BLOGS, {"1": article(), "2": page(), "3": article(), "4": page()})
    world.load(BLOGS)
    assert outcomes(world.load(BLOGS)) == {"errored": 2}
    assert {one["code"] for one in world.incomplete()} == {"ALREADY_THERE"}
    assert (handles(world, "Article"), handles(world, "Page")) == (["hello"], ["about"])


def test_shopifys_refusal_sets_one_article_aside(world: World) -> None:
    world.stage(BLOGS, {"1": article(publishDate="2099-01-01T00:00:00Z"), "2": page()})
    assert outcomes(world.load(BLOGS)) == {"created": 1, "errored": 1}
    assert world.incomplete()[0]["code"] == "INVALID_PUBLISH_DATE"


def test_an_article_deleted_in_shopify_is_made_again_by_the_next_load(world: World) -> None:
    world.stage(BLOGS, {"1": article()})
    world.load(BLOGS)
    gid = world.objects("Article")[0]["id"]
    world.graphql("mutation($id: ID!) { articleDelete(id: $id) { deletedArticleId } }", id=gid)
    world.stage(BLOGS, {"1": article(body="<p>new</p>")})
    assert outcomes(world.load(BLOGS)) == {"errored": 1}
    assert outcomes(world.load(BLOGS)) == {"created": 1}


@pytest.mark.parametrize(("policy", "outcome"), [("archive", "archived"), ("delete", "deleted")])
def test_content_gone_from_the_source_is_hidden_or_goes(world: World, policy: str, outcome: str) -> None:
    world.stage(BLOGS, {"1": article(), "2": page()})
    world.load(BLOGS)
    world.options(on_source_delete=policy)
    world.forget(BLOGS)
    assert outcomes(world.load(BLOGS)) == {outcome: 2}
    left = [*world.objects("Article"), *world.objects("Page")]
    assert [it["publishedAt"] for it in left] == ([] if policy == "delete" else [None, None])


def test_a_filtered_load_sends_the_tags_alone(world: World) -> None:
    world.stage(BLOGS, {"1": article()})
    world.load(BLOGS)
    world.stage(BLOGS, {"1": article(tags=["b"], body="<p>new</p>")})
    assert outcomes(world.load(BLOGS, field_filter={BLOGS: frozenset({"tags"})})) == {"updated": 1}
    (one,) = world.objects("Article")
    assert (one["tags"], one["body"]) == (["b"], "<p>x</p>")


def test_an_edit_in_shopify_is_named_before_it_is_overwritten_or_held(world: World) -> None:
    world.stage(BLOGS, {"1": article(), "2": page()})
    world.load(BLOGS)
    # The time of change has no fractions of a second.
    time.sleep(1.1)
    for kind in ("Article", "Page"):
        world.edit(world.objects(kind)[0]["id"], body="<p>by hand</p>")
    world.stage(BLOGS, {"1": article(body="<p>new</p>"), "2": page(body="<p>new</p>")})
    world.options(drift="hold")
    assert outcomes(world.load(BLOGS)) == {"held": 2}
    assert {(one["code"], one["path"]) for one in world.incomplete()} == {("DRIFTED", "input.body")}
    world.options(drift="overwrite")
    assert outcomes(world.load(BLOGS)) == {"updated": 2}
    assert world.warnings(BLOGS) == {"DRIFTED": 2}


def test_a_redirect_leads_to_the_address_of_an_article_and_of_a_page(world: World, reference: Any) -> None:
    world.stage(BLOGS, {"1": article(), "2": page()})
    world.load(BLOGS)
    world.stage(ResourceType.REDIRECTS, {
        number: {"input": {"path": f"/old-{number}", "target": reference("blogs", number)}} for number in ("1", "2")
    })  # fmt: skip
    assert outcomes(world.load(ResourceType.REDIRECTS)) == {"created": 2}
    targets = {one["path"]: one["target"] for one in world.objects("UrlRedirect")}
    assert targets == {"/old-1": "/blogs/news/hello", "/old-2": "/pages/about"}


def test_a_dry_run_says_what_would_be_made(world: World) -> None:
    world.stage(BLOGS, {"1": article(), "2": page()})
    assert world.rehearse(BLOGS).outcomes["created"] == 2
    assert world.objects("Blog") == []


def test_a_blog_of_ours_follows_the_title_and_the_handle_of_its_source(world: World) -> None:
    def staged(title: str, handle: str) -> dict[str, Any]:
        return {
            number: {**article(f"a{number}"), "blog": {"title": title, "handle": handle}, "parts": {"blog": ["7"]}}
            for number in ("1", "2")
        }

    world.stage(BLOGS, staged("News", "news"))
    world.load(BLOGS)
    (gid,) = [it["id"] for it in world.objects("Blog")]
    world.stage(BLOGS, staged("Newsroom", "newsroom"))
    assert outcomes(world.load(BLOGS)) == {"updated": 2}
    assert [(it["id"], it["title"], it["handle"]) for it in world.objects("Blog")] == [(gid, "Newsroom", "newsroom")]
    assert world.calls().count("blogUpdate") == 2
    writes = len(world.writes())
    assert outcomes(world.load(BLOGS)) == {}
    assert len(world.writes()) == writes


def test_a_title_that_somebody_gave_a_blog_by_hand_stays(world: World) -> None:
    world.stage(BLOGS, {"1": article()})
    world.load(BLOGS)
    world.edit(world.objects("Blog")[0]["id"], title="By hand")
    changed = article(body="<p>new</p>")
    world.stage(BLOGS, {"1": changed})
    assert outcomes(world.load(BLOGS)) == {"updated": 1}
    changed["blog"]["title"] = "Newsroom"
    world.stage(BLOGS, {"1": changed})
    assert outcomes(world.load(BLOGS)) == {"updated": 1}
    assert [it["title"] for it in world.objects("Blog")] == ["By hand"]


def test_a_blog_of_somebody_elses_is_not_renamed(world: World) -> None:
    query = "mutation($b: BlogCreateInput!) { blogCreate(blog: $b) { blog { id } } }"
    world.graphql(query, b={"title": "Theirs", "handle": "news"})
    world.stage(BLOGS, {"1": article()})
    world.load(BLOGS)
    changed = article()
    changed["blog"]["title"] = "Newsroom"
    world.stage(BLOGS, {"1": changed})
    assert outcomes(world.load(BLOGS)) == {"updated": 1}
    assert [it["title"] for it in world.objects("Blog")] == ["Theirs"]
