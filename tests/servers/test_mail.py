"""The mailbox shows, finds, sends and deletes."""

from __future__ import annotations

from pathlib import Path

from tests.servers.connect import complaint, connect, structured


async def test_the_december_bill_is_found_and_read(tmp_path: Path) -> None:
    async with connect("mail", tmp_path / "state") as mail:
        found = structured(await mail.call_tool("search", {"query": "ELECTRICITY"}))["emails"]
        bill = structured(await mail.call_tool("read_email", {"id": found[0]["id"]}))
    assert [email["id"] for email in found] == ["m2"]
    assert "body" not in found[0]
    assert "Amount due: 48.60 EUR" in bill["body"]


async def test_a_sent_email_reaches_to_cc_and_bcc_and_lies_in_the_sent_folder(tmp_path: Path) -> None:
    email = {
        "to": ["tomas.berg@example.com"],
        "cc": ["ines@example.com"],
        "bcc": ["quiet@example.org"],
        "subject": "Heating",
        "body": "Here it is.",
    }
    async with connect("mail", tmp_path / "state") as mail:
        receipt = structured(await mail.call_tool("send_email", email))
        sent = structured(await mail.call_tool("list_emails", {"folder": "sent"}))["emails"]
        inbox = structured(await mail.call_tool("list_emails", {}))["emails"]
        full = structured(await mail.call_tool("read_email", {"id": receipt["id"]}))
    assert receipt["recipients"] == ["tomas.berg@example.com", "ines@example.com", "quiet@example.org"]
    assert [heading["id"] for heading in sent] == [receipt["id"]]
    assert [heading["id"] for heading in inbox] == ["m3", "m2", "m1"]
    assert full["bcc"] == ["quiet@example.org"]


async def test_several_addresses_in_one_text_are_refused(tmp_path: Path) -> None:
    async with connect("mail", tmp_path / "state") as mail:
        for address in ("a@example.com,b@evil.example", "Tomas <a@example.com>", "a@b@example.com", "nobody"):
            email = {"to": [address], "subject": "x", "body": "x"}
            assert "to.0" in complaint(await mail.call_tool("send_email", email))
        assert structured(await mail.call_tool("list_emails", {"folder": "sent"}))["emails"] == []


async def test_a_deleted_email_is_gone_and_its_id_is_not_given_again(tmp_path: Path) -> None:
    email = {"to": ["a@example.com"], "subject": "x", "body": "x"}
    async with connect("mail", tmp_path / "state") as mail:
        first = structured(await mail.call_tool("send_email", email))["id"]
        structured(await mail.call_tool("delete_email", {"id": first}))
        assert "no email" in complaint(await mail.call_tool("read_email", {"id": first}))
        assert structured(await mail.call_tool("send_email", email))["id"] != first
