"""Mail by Amazon SES's own API: the fleet's role is what lets it send, so there is no password to keep."""

from botocore.exceptions import ClientError

from infra.aws.client import Clients, mapped
from infra.errors import Unavailable
from infra.local.letters import message
from infra.ports import Letter


class SesMail:
    """Implements `infra.ports.Mail`. SES has to know the sender's domain; in its sandbox the receiver too."""

    delivers = True

    def __init__(self, clients: Clients, *, sender: str) -> None:
        self._clients = clients
        self._sender = sender

    def send(self, letter: Letter) -> None:
        """SendRawEmail. Tried again after a lost answer, so that a letter may come twice."""
        raw = message(letter, self._sender).as_bytes()
        try:
            with mapped():
                self._clients.get("ses").send_raw_email(
                    Source=self._sender, Destinations=[letter.to], RawMessage={"Data": raw}
                )
        except ClientError as error:  # MessageRejected, AccountSendingPaused, AccessDenied, …
            raise Unavailable(f"SES did not take the letter: {error}") from error
