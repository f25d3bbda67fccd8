"""Whatever is in a file: rows, named bad rows or one sentence, and nothing that a store could not keep."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from graftport_dagster.errors import GraftportError
from graftport_dagster.migration import FileSpec
from graftport_dagster.records import InvalidRow, ResourceType, SourceRecord, canonical_json
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.sources.files import FileSource

SEEDS = {
    "t.csv": b'email,name,text\na@b,"x\ny",z\nc@d,e,"f ""g"""\n',
    "t.json": b'[{"email":"a","x":[1,{"y":"\\u00e9"}]},\n{"email":"b","z":null}]',
    "t.jsonl": b'{"email":"a","x":[1,2]}\n{"email":"b"}\n',
    "t.csv.gz": gzip.compress(b"email,name\na@b,c\n"),
    "magento.csv": (
        b"sku,product_type,attribute_set_code,name,visibility,price,categories,configurable_variations\n"
        b'A-S,simple,Top,A S,Not Visible Individually,10,R/M,\nA,configurable,Top,A,"Catalog, Search",10,"R/M,R",'
        b'"sku=A-S,size=S"\n,,,,,,R/X,\n'
    ),
}
PIECES = [
    *(b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"{", b"}", b"[", b"]", b'""', b"\\", b"sku=", b"|", b"=", b":", b" "),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"1e999", b"\\ud800", b'"' * 50, b"{" * 200, b"A-S", b"\x07"),
]  # fmt: skip
edits = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(PIECES) | st.binary(max_size=4), st.integers(0, 12)), max_size=6
)


def edited(content: bytes, changes: list[tuple[int, bytes, int]]) -> bytes:
    for place, piece, dropped in changes:
        at = place % (len(content) + 1)
        content = content[:at] + piece + content[at + dropped :]
    return content


def everything(source: FileSource) -> Iterator[SourceRecord | InvalidRow]:
    for resource_type in source.resource_types():
        try:
            yield from source.read(resource_type, None)
        except GraftportError as refused:
            str(refused).encode()


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from(sorted(SEEDS)),
    edits,
    st.sampled_from(["", "cp1252", "utf-16", "gb18030", "shift_jis", "utf-7"]),
    st.sampled_from(["", "email"]),
)
def test_hostile_files_end_in_rows_or_a_sentence(
    name: str, changes: list[tuple[int, bytes, int]], encoding: str, id_column: str
) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(edited(SEEDS[name], changes))
        spec = FileSpec(path=name, encoding=encoding, id_column=id_column)
        chosen = (
            FilesSettings(magento_export=spec)
            if name == "magento.csv"
            else FilesSettings(files={ResourceType.CUSTOMERS: spec})
        )
        source = FileSource(chosen, Path(folder))
        for item in everything(source):
            if isinstance(item, SourceRecord):
                canonical_json(item.payload)
                assert item.source_id
            else:
                assert item.code
                assert item.reason
                "".join([item.raw, item.reason, item.hint]).encode()
            assert item.source_id.isprintable()
            assert item.origin
        assert all(result.detail for result in source.check())
        source.close()
