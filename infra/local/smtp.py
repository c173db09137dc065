"""Mail by a server that speaks SMTP (RFC 5321): one's own, a provider's, or SES by its SMTP endpoint."""

import smtplib
import ssl
from dataclasses import dataclass
from typing import Literal

from infra.errors import Unavailable
from infra.local.letters import message
from infra.ports import Letter

SECONDS = 10
"""For each answer of the server: a person waits for the page meanwhile."""


@dataclass(frozen=True)
class Login:
    """No user: the server takes letters from who may reach it."""

    user: str
    password: str


class SmtpMail:
    """Implements `infra.ports.Mail`. A connection a letter; the server's certificate is checked."""

    delivers = True

    def __init__(
        self, host: str, port: int, login: Login, *, sender: str, tls: Literal["starttls", "tls", "none"]
    ) -> None:
        self._where = host, port
        self._login = login
        self._sender = sender
        self._tls = tls

    def send(self, letter: Letter) -> None:
        try:
            with self._connection() as connection:
                connection.send_message(message(letter, self._sender), self._sender, [letter.to])
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(f"{self._where[0]} did not take the letter: {type(error).__name__}: {error}") from error

    def _connection(self) -> smtplib.SMTP:
        """The caller closes it."""
        if self._tls == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                *self._where, timeout=SECONDS, context=ssl.create_default_context()
            )
        else:
            connection = smtplib.SMTP(*self._where, timeout=SECONDS)
        try:
            if self._tls == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if self._login.user:
                connection.login(self._login.user, self._login.password)
        except BaseException:
            connection.close()
            raise
        return connection
