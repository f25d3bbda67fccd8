"""Rows per second of the transform, beside jsonata-python's own evaluator in the same run.

    python benchmarks/transform.py [rows]

Rows of some 4.7 KB (a product with attributes, gallery, tier prices, variants) and a mapping of eighty lines, made
here. Both evaluators must give the same for every row. The bar: ≥ 2.1 times stock, and on two quiet cores ≥ 900
rows a second through the worker processes, limits and payload check on.
"""

import random
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson
from jsonata.jsonata import Jsonata

from graftport_dagster.mappings import Mapping
from graftport_dagster.records import JsonObject, ResourceType
from graftport_dagster.store.record_store import TransformInput
from graftport_dagster.transform import TransformPool

WORDS = [
    "soft", "warm", "light", "breathable", "recycled", "cotton", "merino", "nylon", "shell", "hood", "zip", "pocket",
    "seam", "loose", "slim", "wash", "cold", "dry", "trail", "city", "alpine", "winter", "summer", "run", "ride",
]  # fmt: skip
SIZES, COLORS = ("XS", "S", "M", "L", "XL"), ("Black", "Gray", "Orange", "Moss", "Rust")
CODES = (
    "material",
    "pattern",
    "climate",
    "activity",
    "style",
    "sleeve",
    "collar",
    "features",
    "gender",
    "season",
    "care",
)

MAPPING = r"""
(
  $text := function($code) { custom_attributes[attribute_code = $code].value };
  $decimal := function($number) { $formatNumber($round($number, 2), "0.00") };
  $slug := function($name) { $trim($lowercase($name)) ~> $replace(/[^a-z0-9]+/, "-") ~> $replace(/^-+|-+$/, "") };
  $units := {"1": "POUNDS", "2": "KILOGRAMS"};
  $names := {"size": "Size", "color": "Color"};
  $product := $;
  $codes := configurable_options.code;
  $description := custom_attributes[attribute_code = "description"].value;
  $special := custom_attributes[attribute_code = "special_price"].value;
  {
    "input": {
      "title": $substring(name, 0, 255),
      "handle": $slug(custom_attributes[attribute_code = "url_key"].value),
      "descriptionHtml": $description,
      "vendor": $exists(custom_attributes[attribute_code = "manufacturer"])
        ? custom_attributes[attribute_code = "manufacturer"].value
        : "House brand",
      "productType": attribute_set,
      "status": status = 1 and visibility != 1 ? "ACTIVE" : "DRAFT",
      "tags": [
        $distinct(
          custom_attributes[attribute_code in ["material", "climate", "activity"]].($split(value, "|")).$trim($)
        )
      ],
      "seo": {
        "title": $substring(custom_attributes[attribute_code = "meta_title"].value, 0, 70),
        "description": $substring(custom_attributes[attribute_code = "meta_description"].value, 0, 320)
      },
      "productOptions": [
        configurable_options.{
          "name": $lookup($names, code),
          "values": [values.{ "name": label }]
        }
      ],
      "variants": [
        variants.(
          $variant := $;
          $price := $special ? $number($special) : price;
          {
            "sku": sku,
            "barcode": custom_attributes[attribute_code = "gtin"].value,
            "price": $decimal($price < price ? $price : price),
            "compareAtPrice": $price < price ? $decimal(price),
            "taxable": tax_class_id != 0,
            "inventoryPolicy": stock.backorders > 0 ? "CONTINUE" : "DENY",
            "optionValues": [
              $codes.{
                "optionName": $lookup($names, $),
                "name": $lookup($variant.values, $)
              }
            ],
            "inventoryItem": {
              "tracked": stock.manage_stock,
              "cost": $exists(cost) ? $decimal(cost),
              "requiresShipping": type_id != "virtual",
              "measurement": weight > 0 ? {
                "weight": { "value": weight, "unit": $lookup($units, "1") }
              }
            }
          }
        )
      ],
      "files": [
        media_gallery[disabled = false]^(position).{
          "originalSource": "https://shop.example/media/catalog/product" & file,
          "alt": label ? label : $product.name,
          "contentType": "IMAGE"
        }
      ],
      "metafields": [
        custom_attributes[attribute_code in ["pattern", "sleeve", "care", "season"]].{
          "namespace": "custom",
          "key": attribute_code,
          "type": "single_line_text_field",
          "value": value
        }
      ]
    },
    "publications": ["Online Store"]
  }
)
"""


def text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words)).capitalize() + "."


def variant(rng: random.Random, sku: str, size: str, color: str) -> JsonObject:
    return {
        "sku": sku, "type_id": "simple", "price": rng.randrange(1900, 9900) / 100, "weight": rng.randrange(1, 9) / 4,
        "tax_class_id": 2, "cost": 11.125, "values": {"size": size, "color": color},
        "stock": {"qty": rng.randrange(200), "manage_stock": True, "backorders": rng.randrange(2)},
        "custom_attributes": [{"attribute_code": "gtin", "value": str(rng.randrange(10**12, 10**13))}],
    }  # fmt: skip


def row(number: int) -> JsonObject:
    rng = random.Random(number)
    sku, name = f"MH{number:05}", text(rng, 4)[:-1]
    sizes, colors = rng.sample(SIZES, 3), rng.sample(COLORS, 2)
    attributes = [{"attribute_code": code, "value": "|".join(rng.sample(WORDS, 2))} for code in CODES]
    attributes += [
        {"attribute_code": "url_key", "value": f"{name} {number}"},
        {"attribute_code": "description", "value": f"<p>{text(rng, 90)}</p><p>{text(rng, 80)}</p>"},
        {"attribute_code": "meta_title", "value": text(rng, 8)},
        {"attribute_code": "meta_description", "value": text(rng, 30)},
    ]
    if number % 3 == 0:
        attributes.append({"attribute_code": "special_price", "value": "17.5000"})
    return {
        "id": number, "sku": sku, "name": name, "attribute_set": "Top", "status": 1, "visibility": 4,
        "type_id": "configurable", "price": 0, "created_at": "2026-01-31 10:20:30", "custom_attributes": attributes,
        "configurable_options": [
            {"code": "size", "position": 0, "values": [{"label": size} for size in sizes]},
            {"code": "color", "position": 1, "values": [{"label": color} for color in colors]},
        ],
        "variants": [
            variant(rng, f"{sku}-{size}-{color}", size, color) for size in sizes for color in colors
        ],
        "media_gallery": [
            {"id": number * 10 + place, "file": f"/m/h/{sku.lower()}_{place}.jpg", "label": "" if place else name,
             "position": 4 - place, "disabled": False, "types": ["image"] if place == 0 else []}
            for place in range(4)
        ],
        "tier_prices": [{"customer_group_id": group, "qty": 10, "value": 15.0} for group in range(4)],
    }  # fmt: skip


def cpu(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def chunks(payloads: list[bytes]) -> Iterator[list[TransformInput]]:
    for start in range(0, len(payloads), 200):
        yield [
            TransformInput(str(start + i), payload, "", "") for i, payload in enumerate(payloads[start : start + 200])
        ]


def pooled(payloads: list[bytes], processes: int) -> tuple[float, float]:
    """Rows a second by the clock and by the processor time of all processes."""
    before, started = cpu() + cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
    with TransformPool(MAPPING, "benchmark", resource_type=ResourceType.PRODUCTS, processes=processes) as pool:
        results = [result for chunk in pool.rows(chunks(payloads)) for result in chunk]
    wall, used = time.perf_counter() - started, cpu() + cpu(resource.RUSAGE_CHILDREN) - before
    failed = [result.error for result in results if result.error]
    assert not failed, failed[0]
    return len(payloads) / wall, len(payloads) / used


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    rows = [row(number) for number in range(count)]
    payloads = [orjson.dumps(item) for item in rows]
    few = rows[: max(100, count // 10)]
    stock, ours = Jsonata(MAPPING), Mapping.compile(MAPPING, name="benchmark")
    ratios = []
    used: dict[str, float] = {"stock": 0.0, "ours": 0.0}
    for _ in range(3):
        started = cpu()
        theirs: list[Any] = [stock.evaluate(item, {}) for item in few]
        middle = cpu()
        mine = [ours.evaluate(item, {}, record_id="").value for item in few]
        ended = cpu()
        assert [orjson.dumps(item) for item in theirs] == [orjson.dumps(item) for item in mine]
        used["stock"] += middle - started
        used["ours"] += ended - middle
        ratios.append((middle - started) / (ended - middle))
    size = sum(map(len, payloads)) / count
    print(f"{count} rows of {size:.0f} bytes, a mapping of {len(MAPPING.strip().splitlines())} lines")
    print(f"jsonata-python's own evaluator   {3 * len(few) / used['stock']:8.0f} rows per CPU-second")
    print(f"this one, one process            {3 * len(few) / used['ours']:8.0f} rows per CPU-second, same results")
    print(f"ratio to stock                   {sorted(ratios)[1]:8.1f}   (bar: 2.1)")
    for processes in (1, 2):
        by_clock, by_cpu = pooled(payloads, processes)
        print(
            f"bytes to checked records, {processes} worker{'s' if processes > 1 else ' '}"
            f" {by_clock:7.0f} rows/s by the clock, {by_cpu:.0f} per CPU-second"
            + "   (bar: 900 rows/s)"
            * (processes == 2)
        )


if __name__ == "__main__":
    main()
