"""The only file that speaks SQLite: one connection, one writer at a time, nothing acknowledged before it is on disk."""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from .rules import Address, Bill, Mode, Payment, Status, Switches

SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (
    transaction_id TEXT PRIMARY KEY,
    originator_id TEXT NOT NULL,
    end_point_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    bill TEXT NOT NULL,
    request TEXT NOT NULL,
    created_at TEXT NOT NULL,
    outcome TEXT NOT NULL,
    settles_at TEXT,
    answers_again INTEGER NOT NULL,
    decision TEXT,
    decided_at TEXT,
    UNIQUE (originator_id, end_point_id, request_id) -- serves the recovery lookup, and makes PAYMENT_EXISTS certain
);
CREATE TABLE IF NOT EXISTS switches (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    mode TEXT NOT NULL,
    remaining INTEGER,
    delay_seconds REAL NOT NULL,
    auto_pay_after_seconds REAL
);
CREATE TABLE IF NOT EXISTS form_key (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), value BLOB NOT NULL);
"""


class Store:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.row_factory = sqlite3.Row
        # FULL syncs the write-ahead log at every commit: an answer is given only for what a power cut leaves.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(SCHEMA)
        self._db.execute("INSERT OR IGNORE INTO form_key VALUES (1, ?)", (secrets.token_bytes(32),))

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """Load, decide and save as one: committed on a normal end, undone on an error."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._db)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def form_key(self) -> bytes:
        with self._lock:
            return bytes(self._db.execute("SELECT value FROM form_key").fetchone()["value"])

    def is_ready(self) -> bool:
        try:
            with self._lock:
                self._db.execute("SELECT 1 FROM payments LIMIT 1")
        except sqlite3.Error:
            return False
        return True


class Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def payment(self, transaction_id: str) -> Payment | None:
        return self._one("SELECT * FROM payments WHERE transaction_id = ?", transaction_id)

    def payment_of_request(self, address: Address, request_id: str) -> Payment | None:
        return self._one(
            "SELECT * FROM payments WHERE originator_id = ? AND end_point_id = ? AND request_id = ?",
            address.originator_id,
            address.end_point_id,
            request_id,
        )

    def add(self, payment: Payment) -> None:
        self._db.execute(
            "INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                payment.transaction_id,
                payment.address.originator_id,
                payment.address.end_point_id,
                payment.bill.request_id,
                json.dumps(astuple(payment.bill)),
                payment.request,
                payment.created_at.isoformat(),
                payment.outcome,
                _text(payment.settles_at),
                payment.answers_again,
                payment.decision,
                _text(payment.decided_at),
            ),
        )

    def record_decision(self, payment: Payment) -> None:
        self._db.execute(
            "UPDATE payments SET decision = ?, decided_at = ? WHERE transaction_id = ?",
            (payment.decision, _text(payment.decided_at), payment.transaction_id),
        )

    def switches(self) -> Switches:
        row = self._db.execute("SELECT * FROM switches").fetchone()
        if row is None:
            return Switches()
        return Switches(Mode(row["mode"]), row["remaining"], row["delay_seconds"], row["auto_pay_after_seconds"])

    def set_switches(self, switches: Switches) -> None:
        self._db.execute("INSERT OR REPLACE INTO switches VALUES (1, ?, ?, ?, ?)", astuple(switches))

    def _one(self, query: str, *values: str) -> Payment | None:
        row = self._db.execute(query, values).fetchone()
        return None if row is None else _payment(row)


def _payment(row: Any) -> Payment:
    return Payment(
        transaction_id=row["transaction_id"],
        address=Address(row["originator_id"], row["end_point_id"]),
        bill=Bill(*json.loads(row["bill"])),
        request=row["request"],
        created_at=datetime.fromisoformat(row["created_at"]),
        outcome=Status(row["outcome"]),
        settles_at=_time(row["settles_at"]),
        answers_again=bool(row["answers_again"]),
        decision=None if row["decision"] is None else Status(row["decision"]),
        decided_at=_time(row["decided_at"]),
    )


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
