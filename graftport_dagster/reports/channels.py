"""How notices leave: a webhook that takes Slack's JSON, a mail server.

Secrets are resolved at each sending and are in no message. What is told is in `notices.py`.
"""

import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage

import requests

from graftport_dagster.errors import GraftportError, UnreachableError
from graftport_dagster.migration import Migration
from graftport_dagster.notifications import Mail
from graftport_dagster.settings import resolve_secret

_SECONDS = 15.0


CHANNELS = ("webhook", "mail")


def send(migration: Migration, waiting: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Tells each channel its lines in one message; by channel that there is, why it did not take them, or ""."""
    settings = migration.notifications
    tell: dict[str, Callable[[Sequence[str]], None]] = {}
    if (webhook := settings.webhook) is not None:
        tell["webhook"] = lambda lines: _webhook(resolve_secret(webhook.url, base=migration.folder), lines)
    if (mail := settings.mail) is not None:
        tell["mail"] = lambda lines: _mail(migration, mail, lines)
    problems = {}
    for name in tell:
        if lines := waiting.get(name):
            try:
                tell[name](lines)
                problems[name] = ""
            except GraftportError as error:
                problems[name] = str(error)
    return problems


def _webhook(url: str, lines: Sequence[str]) -> None:
    try:
        with requests.Session() as session:
            # A page to log in at would take anything for told.
            answer = session.post(url, json={"text": "\n".join(lines)}, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        # Its words carry the address, which is a secret.
        raise UnreachableError(f"not reached ({type(error).__name__}).") from None
    if answer.status_code >= 300:
        raise UnreachableError(f"answered HTTP {answer.status_code}.")


def _mail(migration: Migration, mail: Mail, lines: Sequence[str]) -> None:
    message = EmailMessage()
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    message["Subject"] = f"Graftport {migration.slug}: {lines[0].partition(':')[0][:80]}{more}"
    message["From"], message["To"] = mail.sender, ", ".join(mail.to)
    message.set_content("\n\n".join(lines))
    # By itself smtplib gives the password to whoever answers, with any certificate.
    context = ssl.create_default_context()
    try:
        with (
            smtplib.SMTP_SSL(mail.host, mail.port, timeout=_SECONDS, context=context)
            if mail.security == "tls"
            else smtplib.SMTP(mail.host, mail.port, timeout=_SECONDS)
        ) as server:
            if mail.security == "starttls":
                server.starttls(context=context)
            if mail.user:
                server.login(mail.user, resolve_secret(mail.password or "", base=migration.folder))
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise UnreachableError(f"{mail.host} did not take it ({type(error).__name__}).") from None
