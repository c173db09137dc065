"""The port of letters."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Letter:
    """A mail in plain text to one address. `sender` is a name only: whose address it comes from is the deployment's."""

    to: str
    subject: str
    text: str
    sender: str


class Mail(Protocol):
    delivers: bool
    """Whether letters leave this machine; otherwise they are kept for who runs it, and pages say so."""

    def send(self, letter: Letter) -> None:
        """Handed on, or durably kept, on return. Raises `Unavailable` if the letter was not taken, now or at all."""
