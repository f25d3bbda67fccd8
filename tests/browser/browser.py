"""A headless Chromium, driven by the W3C WebDriver protocol: what a person sees and clicks, as plain calls.

Only what the tests of the UI and the pictures of the documentation need; Dagster is known in `ui.py`.
"""

import base64
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import requests

DRIVERS = ("chromedriver", "/usr/lib/chromium/chromedriver")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
_SECONDS = 120.0
_POLL_SECONDS = 0.25
Found = TypeVar("Found")

# Clicks one of the innermost visible elements whose whole text is the one asked for; false where there is none. Found
# and clicked by one script: a page that is drawn anew between the two would have lost what was found.
_PRESS = """
const [text, kinds, nth] = arguments;
const shown = element => element.getClientRects().length > 0;
const plain = value => (value || "").replace(/\\s+/g, " ").trim();
const found = [...document.querySelectorAll(kinds)].filter(
  element => shown(element) && (plain(element.innerText) === text || element.getAttribute("aria-label") === text)
);
const inner = found.filter(element => !found.some(other => other !== element && element.contains(other)));
const chosen = inner[nth];
if (!chosen || chosen.disabled) return false;
chosen.click();
return true;
"""


def executable(names: tuple[str, ...]) -> str:
    """The first of these programs that is installed; "" if none is."""
    return next((path for name in names if (path := shutil.which(name))), "")


class Browser:
    """One window."""

    def __init__(self, session: str) -> None:
        self._session = session

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            method, f"{self._session}{path}", json=body if method == "POST" else None, timeout=_SECONDS * 2
        )
        value = answer.json()["value"]
        assert answer.ok, value.get("message", value)
        return value

    def open(self, url: str) -> None:
        """Goes to an address."""
        self._ask("POST", "/url", url=url)

    @property
    def url(self) -> str:
        """Where the window is."""
        found: str = self._ask("GET", "/url")
        return found

    def run(self, script: str, *arguments: Any) -> Any:
        """What a piece of JavaScript returns."""
        return self._ask("POST", "/execute/sync", script=script, args=arguments)

    def text(self) -> str:
        """All that is to be read, its white space made one blank each."""
        return " ".join(str(self.run("return document.body ? document.body.innerText : ''")).split())

    def until(self, what: str, look: Callable[[], Found], *, seconds: float = _SECONDS) -> Found:
        """What `look` gives, once it gives something."""
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, f"{what} did not come within {seconds:g} s. {self.url} reads: {self.text()}"
            time.sleep(_POLL_SECONDS)
        return found

    def sees(self, *texts: str, seconds: float = _SECONDS) -> str:
        """The page's text, once all of these stand in it."""

        def look() -> str:
            page = self.text()
            return page if all(text in page for text in texts) else ""

        return self.until(" and ".join(texts), look, seconds=seconds)

    def click(self, text: str, *, kinds: str = "a, button, [role=button], [role=menuitem]", nth: int = 0) -> None:
        """Clicks what bears this text or label, once it is there and may be clicked."""
        self.until(f"Something to click that reads {text}", lambda: bool(self.run(_PRESS, text, kinds, nth)))

    def picture(self, path: Path) -> None:
        """What the window shows, as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))


@contextmanager
def open_browser(*, width: int = 1500, height: int = 1000) -> Iterator[Browser]:
    """A Chromium of its own, with a profile that goes with it."""
    with tempfile.TemporaryDirectory(prefix="graftport-browser-", ignore_cleanup_errors=True) as profile:
        driver = subprocess.Popen([executable(DRIVERS), "--port=0"], stdout=subprocess.PIPE, text=True)
        try:
            url = f"http://127.0.0.1:{_port(driver)}"
            flags = [*_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
            options = {"args": flags, "binary": executable(BROWSERS)}
            wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
            session = requests.post(f"{url}/session", json=wanted, timeout=_SECONDS * 2).json()["value"]
            assert "sessionId" in session, session
            address = f"{url}/session/{session['sessionId']}"
            try:
                yield Browser(address)
            finally:
                requests.delete(address, timeout=_SECONDS)
        finally:
            driver.terminate()
            driver.wait()
            assert driver.stdout is not None
            driver.stdout.close()


def _port(driver: "subprocess.Popen[str]") -> str:
    assert driver.stdout is not None
    for line in driver.stdout:
        if "started successfully on port" in line:
            return line.rstrip().rstrip(".").rpartition(" ")[2]
    raise AssertionError("The driver of the browser does not start.")
