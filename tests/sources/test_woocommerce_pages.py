"""Pages of a list that changes between them: what was there all the time is given once, whatever else happens."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftport_dagster.errors import RemoteFaultError
from graftport_dagster.simulator.woocommerce.questions import ask
from graftport_dagster.sources.rest_reader import Answer
from graftport_dagster.sources.woocommerce.asking import Asking
from graftport_dagster.sources.woocommerce.pages import every

Edit = tuple[list[int], int]  # places of things that are removed, how many are added


class EditedShop:
    """The simulated shop's own list of coupons, edited after each page that it gave."""

    def __init__(self, count: int, edits: list[Edit]) -> None:
        self.ids = list(range(1, count + 1))
        self.all_the_time = set(self.ids)
        self._next = count + 1
        self._edits = edits
        self.questions = 0

    def get_list(self, _path: str, params: Mapping[str, str | int]) -> tuple[list[dict[str, Any]], Answer]:
        things = [{"id": number, "code": f"c{number}", "status": "publish"} for number in self.ids]
        page = ask("coupons", things, {name: str(value) for name, value in params.items()})
        if self.questions < len(self._edits):
            self._edit(*self._edits[self.questions])
        self.questions += 1
        return page.things, Answer(page.things, {"x-wp-total": str(page.total)})

    def _edit(self, removed: list[int], added: int) -> None:
        for place in removed:
            if self.ids:
                self.all_the_time.discard(self.ids.pop(place % len(self.ids)))
        for _ in range(added):
            self.ids.append(self._next)
            self._next += 1


EDITS = st.lists(st.tuples(st.lists(st.integers(0, 60), max_size=6), st.integers(0, 3)), max_size=12)


@given(count=st.integers(0, 60), size=st.integers(2, 9), edits=EDITS)
def test_what_was_there_all_the_time_is_given_exactly_once(count: int, size: int, edits: list[Edit]) -> None:
    shop = EditedShop(count, edits)
    seen = [it["id"] for it in every(cast("Asking", shop), "coupons", {}, size)]
    assert seen == sorted(set(seen))
    assert shop.all_the_time <= set(seen)


@pytest.mark.parametrize("header", [{}, {"x-wp-total": "many"}, {"x-wp-total": "9"}])
def test_a_page_without_a_sound_count_is_an_error(header: dict[str, str]) -> None:
    class Wordless:
        def get_list(self, _path: str, _params: Mapping[str, str | int]) -> tuple[list[dict[str, Any]], Answer]:
            things: list[dict[str, Any]] = []
            return things, Answer(things, header)

    with pytest.raises(RemoteFaultError):
        list(every(cast("Asking", Wordless()), "coupons", {}, 10))
