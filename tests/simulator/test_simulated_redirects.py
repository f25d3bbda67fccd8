"""Redirects one by one, and a file of them by way of a staged upload."""

from typing import Any

import pytest
import requests

CREATE = "urlRedirect { id path target } userErrors { field message code }"


def test_a_redirect_is_found_by_its_path(shop: Any) -> None:
    made = shop.mutate("urlRedirectCreate", {"urlRedirect": {"path": "bag.html", "target": "/products/bag"}}, CREATE)
    assert made["urlRedirect"]["path"] == "/bag.html"
    query = "query($q: String!) { urlRedirects(first: 2, query: $q) { nodes { id path target } } }"
    assert shop.data(query, {"q": "path:'/bag.html'"})["urlRedirects"]["nodes"] == [made["urlRedirect"]]
    assert shop.data(query, {"q": "path:/bag"})["urlRedirects"]["nodes"] == []


def test_a_taken_path_is_refused(shop: Any) -> None:
    given = {"path": "/a", "target": "/b"}
    shop.mutate("urlRedirectCreate", {"urlRedirect": given}, CREATE)
    errors = shop.errors("urlRedirectCreate", {"urlRedirect": {"path": "/A/", "target": "/c"}})
    assert errors == [
        {"field": ["urlRedirect", "path"], "message": "Path has already been taken", "code": "CREATE_FAILED"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("//[a", "/"), ("/[a", "/[a"), ("category:bags", "/category:bags"), ("https://old.example/a?b=1#c", "/a?b=1"),
        ("a/b", "/a/b"),
    ],
)  # fmt: skip
def test_a_path_loses_the_shop_in_front_and_nothing_else(shop: Any, path: str, kept: str) -> None:
    made = shop.mutate("urlRedirectCreate", {"urlRedirect": {"path": path, "target": "/b"}}, CREATE)
    assert made["urlRedirect"]["path"] == kept


def test_a_redirect_is_changed_and_deleted(shop: Any) -> None:
    gid = shop.mutate("urlRedirectCreate", {"urlRedirect": {"path": "/a", "target": "/b"}}, CREATE)["urlRedirect"]["id"]
    changed = shop.mutate("urlRedirectUpdate", {"id": gid, "urlRedirect": {"target": "/c"}}, CREATE)["urlRedirect"]
    assert (changed["path"], changed["target"]) == ("/a", "/c")
    assert shop.mutate("urlRedirectDelete", {"id": gid}, "deletedUrlRedirectId") == {"deletedUrlRedirectId": gid}
    assert shop.errors("urlRedirectDelete", {"id": gid})[0]["code"] == "DOES_NOT_EXIST"
    assert shop.errors("urlRedirectUpdate", {"id": gid, "urlRedirect": {"target": "/c"}})[0]["code"] == "DOES_NOT_EXIST"


def uploaded(shop: Any, method: str, text: str) -> str:
    given = [{"resource": "URL_REDIRECT_IMPORT", "filename": "r.csv", "mimeType": "text/csv", "httpMethod": method}]
    selection = "stagedTargets { url resourceUrl parameters { name value } }"
    target = shop.mutate("stagedUploadsCreate", {"input": given}, selection)["stagedTargets"][0]
    if method == "PUT":
        assert requests.put(target["url"], data=text.encode(), timeout=9).status_code == 200
    else:
        fields = {it["name"]: it["value"] for it in target["parameters"]}
        answer = requests.post(target["url"], data=fields, files={"file": ("r.csv", text.encode())}, timeout=9)
        assert answer.status_code == 201
    return str(target["resourceUrl"])


def test_an_imported_file_creates_updates_and_counts_what_failed(shop: Any) -> None:
    shop.mutate("urlRedirectCreate", {"urlRedirect": {"path": "/a", "target": "/b"}}, CREATE)
    for method in ("POST", "PUT"):
        url = uploaded(shop, method, "Redirect from,Redirect to\r\n/a,/new\n/b,/c\n,/nowhere\n")
        selection = "urlRedirectImport { id count previewRedirects { path target } } userErrors { message }"
        entry = shop.mutate("urlRedirectImportCreate", {"url": url}, selection)["urlRedirectImport"]
        assert (entry["count"], entry["previewRedirects"][0]) == (3, {"path": "/a", "target": "/new"})
        assert shop.errors("urlRedirectImportSubmit", {"id": entry["id"]}) == []
        query = "query($id: ID!) { urlRedirectImport(id: $id) { finished createdCount updatedCount failedCount } }"
        done = shop.data(query, {"id": entry["id"]})["urlRedirectImport"]
        counts = (1, 1, 1) if method == "POST" else (0, 2, 1)
        assert (done["finished"], done["createdCount"], done["updatedCount"], done["failedCount"]) == (True, *counts)
        assert shop.errors("urlRedirectImportSubmit", {"id": entry["id"]})[0]["code"] == "ALREADY_IMPORTED"
    assert {it["path"]: it["target"] for it in shop.control("objects?type=UrlRedirect")} == {"/a": "/new", "/b": "/c"}


def test_a_file_that_was_never_uploaded_cannot_be_imported(shop: Any) -> None:
    errors = shop.errors("urlRedirectImportCreate", {"url": "https://example.com/r.csv"})
    assert errors[0]["code"] == "FILE_DOES_NOT_EXIST"


def test_an_upload_without_its_key_is_refused(shop: Any) -> None:
    answer = requests.post(f"{shop.url}/_uploads/", files={"file": ("r.csv", b"x")}, timeout=9)
    assert answer.status_code == 400
