"""Products: one `productSet` carries a whole product, its variants, files, metafields and stock.

Facts (API 2026-10): `productSet` is an upsert by the `id` metafield; list fields replace what was
there, fields that are absent are left alone; a new product is in no sales channel until it is
published. Variants and files that are known go by their GIDs, so that nothing is made twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from graftport_dagster.loaders.drift import snapshot
from graftport_dagster.loaders.plan import Call, Caller, Found, Landed, Plan, Step
from graftport_dagster.loaders.stock import ITEM, carries_stock, is_all_that_changed, stock_steps
from graftport_dagster.loaders.variants import VARIANT, options_of, variant_ids, wanted_options
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType, json_hash
from graftport_dagster.shopify.cost import MAX_COST, requested_cost
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError

ID_NAMESPACE = "graftport"
ID_KEY = "source_id"
_PAGE = 250
# So many products' files, of up to 250 each, stay below what one call may cost.
_MOST_FILLED = 50
# Shopify takes so many metafields in one call of `metafieldsSet`.
_METAFIELDS = 25
_CERTAINLY_CHEAP = 100
_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp"})
_LONGEST_STEM, _MARK = 100, 10
_READABLE = ("title", "handle", "descriptionHtml", "vendor", "productType", "status", "tags", "seo")
_WATCHED = ("title", "handle", "descriptionHtml", "vendor", "productType", "status", "tags", "seo", "templateSuffix")
_WATCHED_OF_A_VARIANT = ("price", "compareAtPrice", "barcode", "sku")
# So many the query for them reads.
_MOST_WATCHED = 100
_READABLE_OF_A_VARIANT = ("sku", "barcode", "price", "compareAtPrice", "inventoryPolicy", "taxable")


def id_metafield(identity: str) -> JsonObject:
    """The metafield that makes an object ours, and unique by Shopify's own rule."""
    return {"namespace": ID_NAMESPACE, "key": ID_KEY, "type": "id", "value": identity}


def custom_id(identity: str) -> JsonObject:
    """Names an object by our id in an identifier argument."""
    return {"customId": {"namespace": ID_NAMESPACE, "key": ID_KEY, "value": identity}}


class ProductLoader:
    """Loads products with their variants and files."""

    resource_type = ResourceType.PRODUCTS
    repeats_creation = True
    has_identifier = True
    publishes = True
    watched_document = "products_watched"
    bulk_document = "product_set_in_bulk"
    unwatched_groups = frozenset({"stock"})
    is_timed = True
    sends_changed_groups = False

    def prepare(self, plan: Plan, caller: Caller) -> Plan:  # noqa: ARG002 - the protocol's
        """Nothing needs to be there first."""
        return plan

    def call(self, plan: Plan) -> Call | None:
        """`productSet`, by our id when it creates and by GID when it updates; None where only stock has changed."""
        return None if is_all_that_changed(plan) else self._product_set(plan)

    def _product_set(self, plan: Plan) -> Call:
        payload = dict(plan.envelope["input"])
        if "variants" in payload:
            payload["variants"] = list(self._variants(plan, payload["variants"]))
        if "files" in payload:
            payload["files"] = [self._file(plan, file) for file in _files(payload)]
        if not plan.gid or "metafields" in payload:
            payload["metafields"] = [*payload.get("metafields", ()), id_metafield(plan.identity)]
        variables = {
            "identifier": {"id": plan.gid} if plan.gid else custom_id(plan.identity),
            "input": payload,
            "variants": max(1, min(len(payload.get("variants", ())), _PAGE)),
            "media": max(1, min(len(payload.get("files", ())), _PAGE)),
        }
        if _is_too_dear(variables):
            payload["variants"] = [_without_id(variant) for variant in payload["variants"]]
        return Call(document("product_set"), variables)

    def _variants(self, plan: Plan, variants: list[JsonObject]) -> Iterator[JsonObject]:
        # Named by the whole record: a filtered envelope need not have what names them.
        for part_id, variant in zip(variant_ids(plan.record.payload), variants, strict=True):
            key = self._key(plan, VARIANT, part_id)
            known = plan.parts.get(key)
            sent = dict(variant)
            if known is not None:
                sent["id"] = known.gid
                if not carries_stock(plan):
                    # After go-live the stock is Shopify's; what the source changes of it is a step of its own.
                    sent.pop("inventoryQuantities", None)
            if known is None or "metafields" in sent:
                own = id_metafield(_variant_identity(plan, part_id))
                sent["metafields"] = [*sent.get("metafields", ()), own]
            if "file" in sent:
                sent["file"] = self._file(plan, sent["file"])
            yield sent

    def _file(self, plan: Plan, file: JsonObject) -> JsonObject:
        source = file.get("originalSource")
        known = plan.parts.get(self._key(plan, "image", source)) if isinstance(source, str) else None
        if known is None:
            return _named_file(plan, file)
        # A second upload of the same address would make a second file.
        rest = {name: value for name, value in file.items() if name in {"alt", "contentType"}}
        return {"id": known.gid, **rest}

    def _key(self, plan: Plan, part: str, part_id: str) -> RecordKey:
        return RecordKey(self.resource_type, plan.record.source_id, part, part_id)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Stock, which a create carries and an update compares."""
        return stock_steps(plan)

    def withdraw(self, plan: Plan) -> Call | None:
        """Archived products keep their orders' history and leave every channel; deleted ones are gone."""
        if plan.withdrawal == "delete":
            return Call(document("product_delete"), {"input": {"id": plan.gid}})
        archived = {"identifier": {"id": plan.gid}, "input": {"status": "ARCHIVED"}, "variants": 1, "media": 1}
        return Call(document("product_set"), archived)

    def landed(self, plan: Plan, answer: JsonObject, caller: Caller) -> Landed:
        """The product with the GIDs of its variants and files; asks for more pages beyond 250 variants."""
        product = answer["product"]
        parts: list[Identity] = []
        given = plan.envelope["input"]
        if "variants" in given:
            nodes = {options_of(node): node for node in self._variant_nodes(product, given, caller)}
            whole = plan.record.payload["input"]["variants"]
            for part_id, variant in zip(variant_ids(plan.record.payload), whole, strict=True):
                node = nodes.get(wanted_options(variant))
                if node is not None:
                    parts.append(Identity(self._key(plan, VARIANT, part_id), node["id"]))
                    if variant.get("inventoryQuantities"):
                        parts.append(Identity(self._key(plan, ITEM, part_id), node["inventoryItem"]["id"]))
            if len(given["variants"]) > _CERTAINLY_CHEAP:
                gids = {part.key.part_id: part.gid for part in parts if part.key.part == VARIANT}
                self._name_variants(plan, gids, caller)
        if "files" in given:
            # Files come back in the order in which they were sent.
            nodes = product["media"]["nodes"]
            for file, node in zip(_files(given), nodes, strict=False):
                if source := file.get("originalSource"):
                    parts.append(Identity(self._key(plan, "image", source), node["id"]))
        return Landed(
            gid=product["id"],
            handle=product["handle"],
            parts=tuple(parts),
            gone=self._gone(plan, parts),
            snapshot=snapshot(self, plan, product),
        )

    def fill_in(self, answers: Sequence[tuple[Plan, JsonObject]], caller: Caller) -> None:
        """The files, of many products in one question: their ids keep an update from uploading them again."""
        wanted = {
            answer["product"]["id"]: (answer["product"], len(_files(plan.envelope["input"])))
            for plan, answer in answers
            if "files" in plan.envelope["input"] and answer.get("product")
        }
        for product, _ in wanted.values():
            product["media"] = {"nodes": []}
        left = iter(wanted)
        while gids := list(islice(left, _MOST_FILLED)):
            most = max(1, min(_PAGE, max(wanted[gid][1] for gid in gids)))
            found = caller.call(document("products_media"), {"ids": gids, "first": most}, repeatable=True).data
            for node in filter(None, found["nodes"]):
                wanted[node["id"]][0]["media"] = node["media"]

    def watched(self, node: JsonObject) -> JsonObject:
        """The product's own fields, and of each variant what a merchant edits."""
        found = {name: node[name] for name in _WATCHED if name in node}
        for variant in (node.get("variants") or {}).get("nodes", ())[:_MOST_WATCHED]:
            found |= {f"variants/{variant['id']}/{name}": variant.get(name) for name in _WATCHED_OF_A_VARIANT}
        return found

    def _name_variants(self, plan: Plan, gids: Mapping[str, str], caller: Caller) -> None:
        """Gives variants their ids by calls of their own, where one call could not take them all."""
        sent = self._product_set(plan).variables["input"]["variants"]
        named = zip(variant_ids(plan.record.payload), sent, strict=True)
        bare = [part_id for part_id, variant in named if "id" not in variant and not _has_id(variant)]
        owned = [
            {"ownerId": gids[name], **id_metafield(_variant_identity(plan, name))} for name in bare if name in gids
        ]
        for start in range(0, len(owned), _METAFIELDS):
            batch = {"metafields": owned[start : start + _METAFIELDS]}
            caller.call(document("metafields_set"), batch, repeatable=True).raise_for_user_errors()

    def _variant_nodes(self, product: JsonObject, given: JsonObject, caller: Caller) -> Iterator[JsonObject]:
        if len(given["variants"]) <= _PAGE:
            yield from product["variants"]["nodes"]
            return
        cursor = None
        while True:
            variables = {"id": product["id"], "first": _PAGE, "after": cursor}
            page = caller.call(document("product_variants"), variables, repeatable=True).data["variants"]
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            cursor = page["pageInfo"]["endCursor"]

    def _gone(self, plan: Plan, parts: list[Identity]) -> tuple[RecordKey, ...]:
        kinds = {VARIANT: "variants", ITEM: "variants", "image": "files"}
        present = {identity.key for identity in parts}
        return tuple(
            key for key in plan.parts if key not in present and kinds.get(key.part, "") in plan.envelope["input"]
        )

    def look_up(self, plan: Plan, caller: Caller) -> Found | None:
        """The product that carries our id. Identifier look-ups are immediate; search is not used."""
        return self._by(custom_id(plan.identity), caller)

    def _by(self, identifier: JsonObject, caller: Caller) -> Found | None:
        variables = {"identifier": identifier, "variants": 1, "media": 1}
        answer = caller.call(document("product_by_identifier"), variables, repeatable=True)
        if not answer.data:
            return None
        return Found(answer.data["id"], answer.data["handle"], (answer.data.get("metafield") or {}).get("value", ""))

    def occupant(self, plan: Plan, error: UserError, caller: Caller) -> Found | None:
        """The product at the handle that was refused as taken."""
        if "metafields" in error.field and "variants" not in error.field:
            # Our id is taken: an earlier call that was thought lost has made the product meanwhile.
            return self.look_up(plan, caller)
        handle = plan.envelope["input"].get("handle")
        if not handle or (error.code != "HANDLE_NOT_UNIQUE" and error.field[-1:] != ("handle",)):
            return None
        return self._by({"handle": handle}, caller)

    def gone_part(self, plan: Plan, error: UserError) -> RecordKey | None:
        """The variant or file that somebody deleted in Shopify, while its product stayed."""
        where = error.field[1:] if error.field[:1] == ("input",) else error.field
        if len(where) != 3 or where[2] != "id" or not where[1].isdigit():
            return None
        index, given = int(where[1]), plan.envelope["input"]
        if where[0] == "variants" and index < len(given.get("variants", ())):
            return self._key(plan, VARIANT, variant_ids(plan.record.payload)[index])
        if where[0] == "files" and index < len(files := _files(given)):
            return self._key(plan, "image", str(files[index].get("originalSource")))
        return None

    def is_gone(self, error: UserError) -> bool:
        """Shopify's word for an update of a product that was deleted."""
        return error.code == "PRODUCT_DOES_NOT_EXIST" or (
            error.code == "NOT_FOUND" and error.message.startswith("Resource matching the identifier")
        )

    def read(self, plan: Plan, caller: Caller) -> JsonObject | None:
        """The product's own fields, and its variants in the order of the payload's."""
        given = plan.envelope["input"].get("variants", ())
        variables = {"id": plan.gid, "variants": max(1, min(len(given), _PAGE)), "media": 1, "collections": 1,
                     "metafields": 1}  # fmt: skip
        product = caller.call(document("product_read"), variables, repeatable=True).data
        if not product:
            return None
        nodes = {options_of(node): node for node in product["variants"]["nodes"]}
        variants = [_as_input(nodes.get(wanted_options(variant)), variant) for variant in given]
        return {**{name: product.get(name) for name in _READABLE}, "variants": variants} | _unread(plan)

    def nothing_to_send(self, plan: Plan) -> str:  # noqa: ARG002 - the protocol's
        """A product always has something to send."""
        return ""


def _variant_identity(plan: Plan, part_id: str) -> str:
    return f"{plan.identity}:variant:{part_id}"


def _files(given: JsonObject) -> list[JsonObject]:
    """The product's files, each address once: a second upload of it would make a second file."""
    first: dict[str, JsonObject] = {}
    for index, file in enumerate(given["files"]):
        first.setdefault(str(file.get("originalSource") or file.get("id") or index), file)
    return list(first.values())


def _named_file(plan: Plan, file: JsonObject) -> JsonObject:
    """A picture under a name of its own that is replaced: sent twice, after a lost answer, it is there once."""
    name = PurePosixPath(unquote(urlsplit(str(file.get("originalSource") or "")).path)).name
    if "filename" in file or "id" in file or PurePosixPath(name).suffix.lower() not in _PICTURES:
        return file
    stem, suffix = PurePosixPath(name).stem[:_LONGEST_STEM], PurePosixPath(name).suffix
    mark = json_hash([plan.identity, file["originalSource"]])[:_MARK]
    return {**file, "filename": f"{stem}-{mark}{suffix}", "duplicateResolutionMode": "REPLACE"}


def _is_too_dear(variables: JsonObject) -> bool:
    """Whether Shopify would refuse the call for its cost; asked of many variants only, for it takes a while."""
    variants = variables["input"].get("variants", ())
    return len(variants) > _CERTAINLY_CHEAP and requested_cost(document("product_set"), variables) > MAX_COST


def _has_id(variant: JsonObject) -> bool:
    return any(_is_own(item) for item in variant.get("metafields", ()))


def _is_own(metafield: JsonObject) -> bool:
    return (metafield.get("namespace"), metafield.get("key")) == (ID_NAMESPACE, ID_KEY)


def _without_id(variant: JsonObject) -> JsonObject:
    if not _has_id(variant):
        return variant
    others = [item for item in variant["metafields"] if not _is_own(item)]
    rest = {name: value for name, value in variant.items() if name != "metafields"}
    return {**rest, "metafields": others} if others else rest


def _as_input(node: JsonObject | None, variant: JsonObject) -> JsonObject | None:
    """The live variant under the payload's names; what is not read counts as the same."""
    if node is None:
        return None
    return {**variant, **{name: node.get(name) for name in _READABLE_OF_A_VARIANT if name in variant}}


def _unread(plan: Plan) -> JsonObject:
    given = plan.envelope["input"]
    return {name: given[name] for name in given if name not in (*_READABLE, "variants")}
