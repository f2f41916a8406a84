"""A real PostgreSQL on loopback, made for one test session and thrown away after it.

It runs with `fsync` off: what it has committed survives its own sudden death (the kernel holds the pages),
and that is what tests can kill; a power cut is not what they ask about. A ledger in use needs `fsync` on.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.parts import POSTGRES, require
from tests.servers import LOOPBACK, STOP_WITHIN_S, ServerProcess, free_port

USER = "seiren"
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "40",
    "unix_socket_directories": "",
    "listen_addresses": LOOPBACK,
}


class PostgresServer(ServerProcess):
    """A cluster of its own; take a `new_database()` in each test."""

    def __init__(self) -> None:
        initdb = require(POSTGRES).resolve()
        # Not below the session's folder: as root the server runs as another user, who cannot enter that.
        folder = Path(tempfile.mkdtemp(prefix="seiren-postgres-"))
        self._as = _another_user(folder)
        port = free_port()
        made = [*self._as, str(initdb), "--no-sync", "--auth=trust", f"--username={USER}", "--no-locale"]
        subprocess.run(
            [*made, "--encoding=UTF8", str(folder / "data")],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        command = [str(initdb.with_name("postgres")), "-D", str(folder / "data"), f"--port={port}", *settings]
        super().__init__([*self._as, *command], folder=folder, port=port)
        self._databases = 0

    def answers(self) -> bool:
        """Return whether the server takes a session."""
        try:
            psycopg.connect(self._conninfo("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """End the server and all of its processes as a power cut would."""
        if self._process is not None:
            pid = self._process.pid
            children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            self._process.kill()
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            while any(map(_lives, children)):
                time.sleep(0.01)  # because a server does not start while one of the last is left
        super().kill()

    def stop(self) -> None:
        """End the server without waiting for its clients, as its operator would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(STOP_WITHIN_S)
        super().stop()

    def remove(self) -> None:
        """End the server and throw its cluster away."""
        self.stop()
        shutil.rmtree(self._folder)

    def new_database(self) -> str:
        """Make an empty database, and return its address."""
        self._databases += 1
        name = f"ledger_{self._databases}"
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://{USER}@{LOOPBACK}:{self.port}/{name}"

    def empty(self, address: str, *, keep: str) -> None:
        """Take all rows from all tables but one, and number anew; that is quicker than a new database."""
        self.end_sessions(address)
        with psycopg.connect(address, autocommit=True) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            numbers = connection.execute("SELECT sequencename FROM pg_sequences").fetchall()
            commands = ["SET session_replication_role = replica"]  # in any order of the tables
            commands += [f"DELETE FROM {name}" for (name,) in tables if name != keep]
            commands += [f"ALTER SEQUENCE {name} RESTART" for (name,) in numbers]
            connection.execute("; ".join(commands).encode())

    def waits(self, address: str) -> bool:
        """Tell whether a session of a database waits for what another one holds."""
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            found = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
                [address.rpartition("/")[2]],
            ).fetchone()
        return found is not None and found[0] > 0

    def end_sessions(self, address: str) -> None:
        """Cut all programs off from a database, as a failing network would."""
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                [address.rpartition("/")[2]],
            )

    def _conninfo(self, database: str) -> str:
        return f"host={LOOPBACK} port={self.port} user={USER} dbname={database}"


def _lives(pid: int) -> bool:
    """Tell whether a process is there that has not ended yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _another_user(folder: Path) -> list[str]:
    """Return the words before a command that make it run as a user whom PostgreSQL accepts."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "postgres", "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
