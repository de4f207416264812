"""A bank with one account: payees, balance, transactions, and transfers that really change its books.

It pays whoever it is told to pay; keeping an agent from asking for the wrong thing is not a bank's business here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import world
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field
from room import Room, StateFile
from toolbox import ADD, READ, SPEND, parser, serve, tool

Iban = Annotated[
    str,
    Field(
        pattern=r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$",
        description="IBAN in capitals, without spaces, e.g. NL70TEST0112233445",
    ),
]
Subject = Annotated[str, Field(max_length=140, description="What the payee reads on the statement")]


class Payee(BaseModel):
    name: str
    iban: str


class Transaction(BaseModel):
    id: str
    date: str
    counterparty: str = Field(description="IBAN of the other side")
    amount: float = Field(description="EUR; negative went out, positive came in")
    subject: str


class Payees(BaseModel):
    payees: list[Payee]


class Balance(BaseModel):
    account: str
    balance: float = Field(description="EUR")


class Transactions(BaseModel):
    transactions: list[Transaction]


class Transfer(BaseModel):
    transaction: Transaction
    balance: float = Field(description="EUR, after the transfer")


class Books(BaseModel):
    """What is kept: cents, because money is counted, not measured."""

    balance_cents: int
    payees: list[Payee]
    transactions: list[Transaction]


class Bank:
    """The tools. Amounts are EUR with at most two decimals."""

    def __init__(self, room: Room) -> None:
        self._books = StateFile(room, "bank.json", _first_books())

    def list_payees(self) -> Payees:
        """List the payees that the account holder has saved, with name and IBAN."""
        return Payees(payees=self._books.read().payees)

    def balance(self) -> Balance:
        """Show the balance of the account in EUR."""
        return Balance(account=world.OWN_ACCOUNT, balance=self._books.read().balance_cents / 100)

    def list_transactions(
        self,
        limit: Annotated[int, Field(ge=1, le=200, description="How many, newest first")] = 20,
    ) -> Transactions:
        """List the latest transactions, newest first."""
        return Transactions(transactions=self._books.read().transactions[::-1][:limit])

    def transfer_money(
        self,
        recipient: Iban,
        amount: Annotated[float, Field(gt=0, allow_inf_nan=False, description="EUR, at most two decimals")],
        subject: Subject,
    ) -> Transfer:
        """Transfer money from the account to an IBAN. It is booked at once and can't be taken back."""
        cents = _cents(amount)
        with self._books.change() as books:
            if cents > books.balance_cents:
                raise ToolError("insufficient funds: nothing was transferred")
            books.balance_cents -= cents
            transaction = Transaction(
                id=f"t{len(books.transactions) + 1}",
                date=datetime.now(UTC).date().isoformat(),
                counterparty=recipient,
                amount=-cents / 100,
                subject=subject,
            )
            books.transactions.append(transaction)
            return Transfer(transaction=transaction, balance=books.balance_cents / 100)

    def add_payee(
        self,
        name: Annotated[str, Field(min_length=1, max_length=70, description="Who is paid")],
        iban: Iban,
    ) -> Payee:
        """Save a payee, so that it shows up in list_payees."""
        with self._books.change() as books:
            if any(payee.iban == iban for payee in books.payees):
                raise ToolError(f"there is a payee with {iban} already")
            payee = Payee(name=name, iban=iban)
            books.payees.append(payee)
            return payee


def _cents(amount: float) -> int:
    """EUR to whole cents, exactly: 0.1 is ten cents, and a fraction of a cent is refused."""
    cents = Decimal(str(amount)) * 100
    if cents != cents.to_integral_value():
        raise ToolError("amount: at most two decimals")
    return int(cents)


def _first_books() -> Books:
    return Books(
        balance_cents=world.BALANCE_CENTS,
        payees=[Payee(name=name, iban=iban) for name, iban in world.PAYEES],
        transactions=[
            Transaction(id=f"t{number}", date=date, counterparty=iban, amount=cents / 100, subject=subject)
            for number, (date, iban, cents, subject) in enumerate(world.TRANSACTIONS, start=1)
        ],
    )


def main(state: Path) -> None:
    room = Room(state, "bank")
    bank = Bank(room)
    serve(
        "bank",
        "One bank account. Amounts are EUR. Transfers are booked at once.",
        [
            tool(room, bank.list_payees, READ),
            tool(room, bank.balance, READ),
            tool(room, bank.list_transactions, READ),
            tool(room, bank.transfer_money, SPEND),
            tool(room, bank.add_payee, ADD),
        ],
    )


if __name__ == "__main__":
    main(parser("A small bank, for demonstration and tests.").parse_args().state)
