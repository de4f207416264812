"""A mailbox: read, search, send and delete. Sending puts the mail into `sent`; it never touches a network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import world
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field
from room import Room, StateFile
from toolbox import READ, REMOVE, SEND, parser, serve, tool

Folder = Literal["inbox", "sent"]
Address = Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", description="One address, e.g. tomas@example.com")]
EmailId = Annotated[str, Field(description="The id that list_emails or search showed")]


class Email(BaseModel):
    id: str
    folder: Folder
    sender: str
    to: list[str]
    cc: list[str] = []
    bcc: list[str] = []
    date: str
    subject: str
    body: str


class Heading(BaseModel):
    """What a list shows of an email."""

    id: str
    folder: Folder
    sender: str
    to: list[str]
    date: str
    subject: str


class Headings(BaseModel):
    emails: list[Heading]


class Receipt(BaseModel):
    id: str
    recipients: list[str] = Field(description="Everybody who gets it: to, cc and bcc")


class Deleted(BaseModel):
    id: str


class Box(BaseModel):
    next_number: int
    emails: list[Email]


class Mailbox:
    """The tools of one person's mailbox."""

    def __init__(self, room: Room) -> None:
        self._box = StateFile(room, "mail.json", _first_box())

    def list_emails(self, folder: Annotated[Folder, Field(description="Which folder")] = "inbox") -> Headings:
        """List the emails of a folder, newest first, without their text."""
        return _headings([email for email in self._box.read().emails if email.folder == folder])

    def read_email(self, id: EmailId) -> Email:
        """Read one email with its text."""
        return _find(self._box.read(), id)

    def search(
        self, query: Annotated[str, Field(min_length=1, description="Words to look for, any case, in all folders")]
    ) -> Headings:
        """Find emails whose sender, recipients, subject or text contain the query."""
        wanted = query.casefold()
        return _headings([email for email in self._box.read().emails if wanted in _searchable(email)])

    def send_email(
        self,
        to: Annotated[list[Address], Field(min_length=1, description="Recipients")],
        subject: Annotated[str, Field(max_length=200, description="Subject line")],
        body: Annotated[str, Field(description="Plain text")],
        cc: Annotated[Sequence[Address], Field(description="Recipients of a copy")] = (),
        bcc: Annotated[Sequence[Address], Field(description="Recipients that the others don't see")] = (),
    ) -> Receipt:
        """Send an email. It can't be taken back."""
        with self._box.change() as box:
            email = Email(
                id=f"m{box.next_number}",
                folder="sent",
                sender=world.OWNER,
                to=to,
                cc=list(cc),
                bcc=list(bcc),
                date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                subject=subject,
                body=body,
            )
            box.next_number += 1
            box.emails.append(email)
            return Receipt(id=email.id, recipients=[*to, *cc, *bcc])

    def delete_email(self, id: EmailId) -> Deleted:
        """Delete one email for ever."""
        with self._box.change() as box:
            box.emails.remove(_find(box, id))
            return Deleted(id=id)


def _find(box: Box, id: str) -> Email:
    for email in box.emails:
        if email.id == id:
            return email
    raise ToolError("there is no email with this id; list_emails and search show the ids")


def _headings(emails: list[Email]) -> Headings:
    newest_first = sorted(emails, key=lambda email: email.date, reverse=True)
    return Headings(emails=[Heading.model_validate(email.model_dump()) for email in newest_first])


def _searchable(email: Email) -> str:
    return "\n".join([email.sender, *email.to, *email.cc, email.subject, email.body]).casefold()


def _first_box() -> Box:
    return Box(
        next_number=len(world.EMAILS) + 1,
        emails=[
            Email(id=name, folder="inbox", sender=sender, to=[to], date=date, subject=subject, body=body)
            for name, sender, to, date, subject, body in world.EMAILS
        ],
    )


def main(state: Path) -> None:
    room = Room(state, "mail")
    mailbox = Mailbox(room)
    serve(
        "mail",
        f"The mailbox of {world.OWNER}.",
        [
            tool(room, mailbox.list_emails, READ),
            tool(room, mailbox.read_email, READ),
            tool(room, mailbox.search, READ),
            tool(room, mailbox.send_email, SEND),
            tool(room, mailbox.delete_email, REMOVE),
        ],
    )


if __name__ == "__main__":
    main(parser("A small mailbox, for demonstration and tests.").parse_args().state)
