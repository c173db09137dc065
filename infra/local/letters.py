"""A letter as a message of RFC 5322."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import localtime, make_msgid

from infra.ports import Letter


def message(letter: Letter, sender: str) -> EmailMessage:
    """`sender` is the address that it comes from. Names and subjects lose their line ends: a header is one line."""
    user, _, domain = sender.rpartition("@")
    made = EmailMessage()
    made["From"] = Address(one_line(letter.sender), user, domain)
    made["To"] = letter.to
    made["Subject"] = one_line(letter.subject)
    made["Date"] = localtime()
    made["Message-ID"] = make_msgid(domain=domain)
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers it.
    made.set_content(letter.text)
    return made


def one_line(text: str) -> str:
    return " ".join(text.split())
