"""People are told once per cause, together within a window, and nothing personal or secret goes out."""

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest

from graftport_dagster.errors import ErrorClass
from graftport_dagster.records import ErrorGroup, Phase, ResourceType, Result, Run, RunItem, RunOptions
from graftport_dagster.store.tables import incomplete_records

PRODUCTS = ResourceType.PRODUCTS
PERSONAL = "jane.doe@example.com lives at 12 Elm Street"


# openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost
#     -addext subjectAltName=IP:127.0.0.1
SELF_SIGNED = """
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUOTOkLqXsBkLNZlv9QGvo7V3E0CgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTEzMzYzNFoYDzIxMjYxMTA1
MTMzNjM0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAR7Nx/pb2QT8PC6zt+fsBScu8NkM9aeib52EIeIoPpc6zpjoxPP6Uu5
1b7NP/7xKEMWt7uk+ZRgw1x03Jf5YRiio2QwYjAdBgNVHQ4EFgQUFhtAcHh2tO+R
4ufYU99U4KLK7fswHwYDVR0jBBgwFoAUFhtAcHh2tO+R4ufYU99U4KLK7fswDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IDUKzJHFq+uYdLZmzFbF/Kx3FeP/umgeyHN+ueql3e6VAiEA57wGuDEu0h218MV8
sm4f1DloXSzsQsUEsZ1otHuTKRE=
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5hIEW/H1TBgk18Jf
YSSGkX2A/hK7eF7PRKiy1OiZ1hehRANCAAR7Nx/pb2QT8PC6zt+fsBScu8NkM9ae
ib52EIeIoPpc6zpjoxPP6Uu51b7NP/7xKEMWt7uk+ZRgw1x03Jf5YRii
-----END PRIVATE KEY-----
"""


class Hook(BaseHTTPRequestHandler):
    """A webhook of Slack's kind."""

    def do_POST(self) -> None:
        server: Any = self.server
        server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(server.status)
        if server.status == 302:
            self.send_header("Location", "/login")
        self.end_headers()

    def do_GET(self) -> None:
        """The page at which one would have to log in."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Smtp(socketserver.StreamRequestHandler):
    """A mail server that takes everything."""

    def handle(self) -> None:
        server: Any = self.server
        self.wfile.write(b"220 here\r\n")
        for line in iter(self.rfile.readline, b""):
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                body = b"".join(iter(self.rfile.readline, b".\r\n"))
                server.got.append(body.decode())
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 fine\r\n")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        server.got, server.status = [], 200  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HOOK", f"http://127.0.0.1:{server.server_port}/services/T0/secret-part")
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def mail() -> Iterator[Any]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp) as server:
        server.got = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def told(project: Any, hook: Any) -> Any:
    """The project with a webhook, and a tick behind it: what is from before is not told."""
    project.configure = lambda more="": project.write(
        "shop.yaml", project.text + f"notifications: {{webhook: {{url: env:HOOK}}, digest_minutes: 15{more}}}\n"
    )
    project.text = (project.migrations / "shop.yaml").read_text(encoding="utf-8")
    project.configure()
    project.hook = hook
    project.cursor = tick(project, None).cursor
    return project


def tick(project: Any, cursor: str | None) -> Any:
    (sensor,) = [one for one in project.definitions().sensors if one.name == "shop_notifications"]
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    context = dg.build_sensor_context(instance=project.instance, cursor=cursor, definitions=project.definitions())
    return sensor(context)


def go_on(project: Any, *, minutes: float = 0) -> str:
    """The next tick, so much later; what it says it did."""
    cursor = json.loads(project.cursor)
    if minutes and cursor["sent_at"]:
        cursor["sent_at"] = (datetime.fromisoformat(cursor["sent_at"]) - timedelta(minutes=minutes)).isoformat()
    answer = tick(project, json.dumps(cursor))
    project.cursor = answer.cursor
    return str(answer.skip_reason.skip_message)


def ran(
    project: Any, run_id: str, result: Result = Result.FAILED, error_class: ErrorClass | None = ErrorClass.CONNECTION
) -> None:
    with project.store() as store:
        store.runs.start(Run(run_id, "shop", RunOptions(resource_types=(PRODUCTS,))))
        groups = (ErrorGroup("DataError", "TAKEN", "", PERSONAL, "", 3, ("A1",)),) if error_class is None else ()
        store.runs.finish_item(
            RunItem(run_id, PRODUCTS, Phase.LOAD, result, error_class=error_class, error_groups=groups,
                    first_error=PERSONAL)
        )  # fmt: skip
        store.runs.finish(run_id, result, PERSONAL)


def test_a_cause_is_told_at_once_and_once_until_a_run_does_well(told: Any) -> None:
    assert go_on(told) == "Nothing new to tell."
    ran(told, "run-aaaa1", error_class=ErrorClass.INVALID_ACCESS_TOKEN)
    assert go_on(told) == "Told 1."
    ran(told, "run-aaaa2", error_class=ErrorClass.INVALID_ACCESS_TOKEN)
    assert go_on(told, minutes=20) == "Nothing new to tell."
    ran(told, "run-aaaa3", Result.SUCCEEDED)
    go_on(told)
    ran(told, "run-aaaa4", error_class=ErrorClass.INVALID_ACCESS_TOKEN)
    assert go_on(told, minutes=20) == "Told 1."
    assert told.hook.got[0] == "shop (products) failed: InvalidAccessTokenError. graftport report shop run-aaaa"
    assert len(told.hook.got) == 2


def test_what_follows_within_the_window_is_told_together(told: Any) -> None:
    ran(told, "run-1", error_class=ErrorClass.INVALID_ACCESS_TOKEN)
    go_on(told)
    ran(told, "run-2", error_class=ErrorClass.CONNECTION)
    ran(told, "run-3", Result.COMPLETED_WITH_ERRORS, None)
    assert "2 notices wait for the digest" in go_on(told)
    assert go_on(told, minutes=20) == "Told 2."
    assert len(told.hook.got) == 2
    lines = told.hook.got[1].splitlines()
    assert "failed, and is tried again by itself: ConnectionError" in lines[0]
    assert "completed with errors: 3 × DataError TAKEN" in lines[1]


def test_nothing_personal_or_secret_goes_out(told: Any) -> None:
    ran(told, "run-1", Result.COMPLETED_WITH_ERRORS, None)
    go_on(told)
    (text,) = told.hook.got
    assert "jane" not in text
    assert "Elm" not in text
    assert "shpat" not in text


def test_what_could_not_be_sent_is_kept_and_the_address_is_told_to_nobody(told: Any) -> None:
    told.hook.status = 503
    ran(told, "run-1")
    assert go_on(told) == "Not told, and tried again: webhook: answered HTTP 503."
    told.hook.status = 200
    assert go_on(told) == "Told 1."
    assert "secret-part" not in told.cursor


def test_a_webhook_that_sends_on_to_a_page_has_not_been_told(told: Any) -> None:
    told.hook.status = 302
    ran(told, "run-1")
    assert go_on(told) == "Not told, and tried again: webhook: answered HTTP 302."


def test_what_one_channel_took_it_does_not_get_again_because_the_other_is_down(told: Any, mail: Any) -> None:
    port, down = mail.server_address[1], 1
    server = "mail: {host: 127.0.0.1, port: %s, security: none, sender: a@example.com, to: [b@example.com]}"
    told.configure(", " + server % down)
    ran(told, "run-1")
    for _ in range(3):
        assert "mail: 127.0.0.1 did not take it" in go_on(told, minutes=20)
    assert (len(told.hook.got), len(mail.got)) == (1, 0)
    told.configure(", " + server % port)
    assert go_on(told, minutes=20) == "Told 1."
    assert (len(told.hook.got), len(mail.got)) == (1, 1)


def test_records_open_for_long_and_schedules_that_paused_are_told_of_once(told: Any) -> None:
    told.write("products.csv", "sku,title,price,collection\nA2,BAD,20.00,\n")
    told.configure(", events: [backlog, auto_paused]")
    told.run("migrate_one", "products", fail_on_row_errors=False)
    assert go_on(told) == "Nothing new to tell."
    with told.store() as store:
        with store._database.write() as connection:
            connection.execute(incomplete_records.update().values(opened_at=datetime.now(UTC) - timedelta(hours=25)))
        store.stores.pause_schedule("shop", "nightly", run_id="run-1", reason="five runs failed")
    assert go_on(told) == "Told 2."
    assert go_on(told, minutes=60) == "Nothing new to tell."
    lines = told.hook.got[0].splitlines()
    assert "1 records are open, the oldest since" in lines[0]
    assert "the schedule nightly has paused itself since" in lines[1]


def test_mail_goes_to_those_named(project: Any, mail: Any) -> None:
    port = mail.server_address[1]
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8")
    server = f"host: 127.0.0.1, port: {port}, security: none, sender: graftport@example.com, to: [ops@example.com]"
    project.write("shop.yaml", text + f"notifications: {{mail: {{{server}}}}}\n")
    project.cursor = tick(project, None).cursor
    ran(project, "run-1")
    assert go_on(project) == "Told 1."
    (message,) = mail.got
    assert "Subject: Graftport shop: shop (products) failed, and is tried again by itself" in message.replace(
        "\r\n ", " "
    )
    assert "To: ops@example.com" in message


@pytest.mark.parametrize("is_known", [False, True])
def test_a_mail_server_that_proves_not_to_be_itself_gets_no_message(
    project: Any, mail: Any, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    (project.folder / "own.pem").write_text(SELF_SIGNED, encoding="utf-8")
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(project.folder / "own.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(project.folder / "own.pem")
    mail.socket = context.wrap_socket(mail.socket, server_side=True, do_handshake_on_connect=False)
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8")
    server = (
        f"host: 127.0.0.1, port: {mail.server_address[1]}, security: tls, sender: a@example.com, to: [b@example.com]"
    )
    project.write("shop.yaml", text + f"notifications: {{mail: {{{server}}}}}\n")
    project.cursor = tick(project, None).cursor
    ran(project, "run-1")
    told_so = "Told 1." if is_known else "Not told, and tried again: mail: 127.0.0.1 did not take it (SSLCertVerific"
    assert go_on(project).startswith(told_so)
    assert len(mail.got) == is_known


def test_a_mail_server_that_is_not_there_is_said_to_be(project: Any) -> None:
    text = (project.migrations / "shop.yaml").read_text(encoding="utf-8")
    server = "host: 127.0.0.1, port: 1, sender: a@example.com, to: [b@example.com]"
    project.write("shop.yaml", text + f"notifications: {{mail: {{{server}}}}}\n")
    project.cursor = tick(project, None).cursor
    ran(project, "run-1")
    assert "Not told, and tried again: mail: 127.0.0.1 did not take it" in go_on(project)
