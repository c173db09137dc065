"""Letters of a deployment without a mail server: its mail folder."""

from email import message_from_bytes
from email.policy import default
from pathlib import Path

from infra.settings import Settings


def letters(settings: Settings) -> list[str]:
    """What the folder holds, in the order it was written: whom to, subject and text."""
    folder: Path = settings.data_dir / "mail"
    messages = [message_from_bytes(file.read_bytes(), policy=default) for file in sorted(folder.glob("*.eml"))]
    return [f"{message['To']}\n{message['Subject']}\n{message.get_content()}" for message in messages]
