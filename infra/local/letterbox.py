"""Mail where no mail server is configured: a folder, for who runs this machine."""

from email.policy import SMTP
from pathlib import Path

from ulid import ULID

from infra.errors import Unavailable
from infra.local.letters import message
from infra.ports import Letter


class FolderMail:
    """Implements `infra.ports.Mail`: an .eml file a letter, named by the time it was written."""

    delivers = False

    def __init__(self, folder: Path, *, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    def send(self, letter: Letter) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._folder / f"{str(ULID()).lower()}.eml"
            path.touch(mode=0o600)  # A letter opens what it invites to.
            path.write_bytes(message(letter, self._sender).as_bytes(policy=SMTP))
        except OSError as error:
            raise Unavailable(f"the letter could not be written: {error}") from error
