"""Web presences: under which address and in which languages a market is shown.

What lives here: the primary one, which every shop has, and those at a subfolder or a domain.
Which market has which is kept in `markets.py`.
"""

from collections import Counter
from collections.abc import Sequence

from graftport_dagster.simulator.answers import refuse
from graftport_dagster.simulator.connections import page_of, page_of_all
from graftport_dagster.simulator.markets import present
from graftport_dagster.simulator.parts import Arguments, Call, Part
from graftport_dagster.simulator.shop import the_shop
from graftport_dagster.simulator.state import Object, State, gid_of

_LANGUAGES = frozenset(
    word
    for line in (
        "af ak sq am ar hy as az bm bn eu be bg bs br my ca ce zh kw hr cs da dz nl en eo et ee fo fi fr ff fy gl",
        "lg ka de el gu gd ha he hi hu is ig id ia ga it ja jv kl kn ks kk km rw ki rn ko ku ky lo lv ln lt lu lb",
        "mk mg ml mt mi mr mn ms ne nd nb nn no or om os ps fa pl pt pa qu rm ro ru sg sa sc sd sh si sk sl so es",
        "su sw sv tg ta tt te th bo ti tk to tr uk ur ug uz vi cy wo xh yi yo za zu",
    )
    for word in line.split()
)


def found_first(state: State) -> None:
    """Gives a new shop the web presence at its own domain."""
    state.put({
        "id": state.new_id("MarketWebPresence"), "subfolderSuffix": None, "defaultLocale": "en", "alternateLocales": [],
        "domainId": gid_of("Domain", state.shop_number),
    })  # fmt: skip


def _create(call: Call, arguments: Arguments) -> Object:
    given = arguments["input"]
    suffix, domain = given.get("subfolderSuffix"), given.get("domainId")
    if not suffix and not domain:
        message = "One of `subfolderSuffix` or `domainId` is required."
        raise refuse(["input"], message, "REQUIRES_DOMAIN_OR_SUBFOLDER")
    if suffix and domain:
        message = "A web presence can't have both a subfolder suffix and a domain."
        raise refuse(["input"], message, "CANNOT_HAVE_SUBFOLDER_AND_DOMAIN")
    if domain and domain != gid_of("Domain", call.state.shop_number):
        raise refuse(["input", "domainId"], "Domain does not exist", "DOMAIN_NOT_FOUND")
    presence: Object = {"id": call.state.new_id("MarketWebPresence"), "domainId": domain, "subfolderSuffix": None}
    _write(call, presence, given)
    return {"webPresence": presence}


def _update(call: Call, arguments: Arguments) -> Object:
    presence = _found(call, arguments["id"])
    _write(call, presence, {**presence, **arguments["input"]})
    return {"webPresence": presence}


def _delete(call: Call, arguments: Arguments) -> Object:
    presence = _found(call, arguments["id"])
    if presence["domainId"] is not None:
        message = "The shop must have a web presence that uses the primary domain."
        raise refuse(["id"], message, "SHOP_MUST_HAVE_PRIMARY_DOMAIN_WEB_PRESENCE")
    for market in present(call, call.state.find("market at", presence["id"])):
        market["webPresences"].remove(presence["id"])
        call.state.put(market)
    call.state.delete(presence)
    return {"deletedId": presence["id"]}


def _found(call: Call, gid: str) -> Object:
    presence = call.take(gid, "MarketWebPresence")
    if presence is None:
        raise refuse(["id"], "The market web presence wasn't found.", "WEB_PRESENCE_NOT_FOUND")
    return presence


def _write(call: Call, presence: Object, given: Object) -> None:
    _check_suffix(call, presence["id"], given.get("subfolderSuffix"))
    default, others = given["defaultLocale"], given.get("alternateLocales") or []
    _check_known([default], "defaultLocale")
    _check_known(others, "alternateLocales")
    counted = Counter(others)
    if any(number > 1 for number in counted.values()):
        twice = [it for it in others if counted[it] > 1 or it == default]
        message = f"Alternate locales Duplicates were found in the following languages: {_listed(twice)}"
        raise refuse(["input", "alternateLocales"], message, "DUPLICATE_LANGUAGES")
    if default in others:
        message = f"Default locale The alternate languages already include {default}."
        raise refuse(["input", "defaultLocale"], message, "DUPLICATE_LANGUAGES")
    presence.update(defaultLocale=default, alternateLocales=others, subfolderSuffix=given.get("subfolderSuffix"))
    call.state.put(presence)


def _check_suffix(call: Call, own: str, suffix: str | None) -> None:
    if not suffix:
        return
    path = ["input", "subfolderSuffix"]
    if not (suffix.isascii() and suffix.isalpha()):
        code = "SUBFOLDER_SUFFIX_MUST_CONTAIN_ONLY_LETTERS"
        raise refuse(path, "Subfolder suffix must contain only letters", code)
    if len(suffix) < 2:
        code = "SUBFOLDER_SUFFIX_MUST_BE_AT_LEAST_2_LETTERS"
        raise refuse(path, "Subfolder suffix must be at least 2 letters", code)
    if any(gid != own for gid in call.state.find("subfolder", suffix.lower())):
        raise refuse(path, "Subfolder suffix has already been taken", "TAKEN")


def _check_known(locales: Sequence[str], name: str) -> None:
    unknown = [it for it in locales if it.partition("-")[0] not in _LANGUAGES]
    if unknown:
        raise refuse(["input", name], f"Invalid locale codes: {_listed(unknown)}", "INVALID")


def _listed(words: Sequence[str]) -> str:
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def _locale(code: str, *, primary: bool) -> Object:
    return {"locale": code, "name": code, "primary": primary, "published": True}


def _root_urls(call: Call, it: Object, _: Arguments) -> list[Object]:
    home = the_shop(call)["url"]
    suffix = it["subfolderSuffix"]
    return [
        {"locale": code, "url": f"{home}/{code}-{suffix}" if suffix else home}
        for code in (it["defaultLocale"], *it["alternateLocales"])
    ]


PART = Part(
    queries={"webPresences": lambda call, _, arguments: page_of_all(call.state, "MarketWebPresence", arguments)},
    mutations={"webPresenceCreate": _create, "webPresenceUpdate": _update, "webPresenceDelete": _delete},
    fields={
        "MarketWebPresence.defaultLocale": lambda _, it, __: _locale(it["defaultLocale"], primary=True),
        "MarketWebPresence.alternateLocales": lambda _, it, __: [
            _locale(code, primary=False) for code in it["alternateLocales"]
        ],
        "MarketWebPresence.domain": lambda call, it, _: the_shop(call)["primaryDomain"] if it["domainId"] else None,
        "MarketWebPresence.rootUrls": _root_urls,
        "MarketWebPresence.markets": lambda call, it, arguments: page_of(
            present(call, call.state.find("market at", it["id"])), arguments
        ),
    },
    keys={
        "MarketWebPresence": lambda it: [("subfolder", it["subfolderSuffix"].lower())] if it["subfolderSuffix"] else []
    },
)
