"""How notices leave: a webhook that takes Slack's JSON, a mail server.

Secrets are resolved at each sending and are in no message. What is told is in `notices.py`.
"""

import smtplib
from collections.abc import Sequence
from email.message import EmailMessage

import requests

from graftport_dagster.errors import GraftportError, UnreachableError
from graftport_dagster.migration import Migration
from graftport_dagster.notifications import Mail
from graftport_dagster.settings import resolve_secret

_SECONDS = 15.0


def send(migration: Migration, lines: Sequence[str]) -> list[str]:
    """Tells all lines in one message per channel; what could not be sent, as sentences without secrets."""
    problems = []
    settings = migration.notifications
    try:
        if settings.webhook is not None:
            _webhook(resolve_secret(settings.webhook.url, base=migration.folder), lines)
    except GraftportError as error:
        problems.append(f"webhook: {error}")
    try:
        if settings.mail is not None:
            _mail(migration, settings.mail, lines)
    except GraftportError as error:
        problems.append(f"mail: {error}")
    return problems


def _webhook(url: str, lines: Sequence[str]) -> None:
    try:
        with requests.Session() as session:
            answer = session.post(url, json={"text": "\n".join(lines)}, timeout=_SECONDS)
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
    connect = smtplib.SMTP_SSL if mail.security == "tls" else smtplib.SMTP
    try:
        with connect(mail.host, mail.port, timeout=_SECONDS) as server:
            if mail.security == "starttls":
                server.starttls()
            if mail.user:
                server.login(mail.user, resolve_secret(mail.password or "", base=migration.folder))
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise UnreachableError(f"{mail.host} did not take it ({type(error).__name__}).") from None
