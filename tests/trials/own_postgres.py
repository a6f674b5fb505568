"""A PostgreSQL of our own, from the machine's binaries: started on a free port in a temporary folder, stopped after."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "only for tests"
OTHER = "nobody"  # PostgreSQL refuses to run as root, so root lends it this user


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, newest version first; None where PostgreSQL is not installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    if found:
        return max(found, key=lambda folder: float(folder.parent.name))
    on_path = shutil.which("pg_ctl")
    return Path(os.path.realpath(on_path)).parent if on_path else None


@dataclass
class Postgres:
    """A running server."""

    folder: Path
    binaries: Path
    port: int = 0

    def url(self, database: str = "postgres", password: str = PASSWORD) -> str:
        """Its address as users write it."""
        return f"postgresql://surehand:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Nothing; it answers on `port`, the same one after a restart."""
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c max_connections=120"
        log = self.folder / "log"
        self._run("pg_ctl", "start", "-w", "-t", "60", "-D", f"{self.folder}/data", "-l", f"{log}", "-o", options)

    def stop(self, how: str = "fast") -> None:
        """Nothing; it has ended. `immediate` is as good as a power cut: it recovers from its log when started."""
        self._run("pg_ctl", "stop", "-w", "-m", how, "-D", f"{self.folder}/data")

    def create(self) -> None:
        """Nothing; there is an empty cluster."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self.folder, secret):
                shutil.chown(path, OTHER)
        auth = ("--auth=scram-sha-256", f"--pwfile={secret}", "--username=surehand", "--encoding=UTF8", "--locale=C")
        self._run("initdb", *auth, "-D", f"{self.folder}/data")

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = [str(self.binaries / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={OTHER}", f"--regid={_group()}", "--clear-groups", "--", *command]
        # Output into a file: the server inherits it, and a pipe would stay open for as long as it runs.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, cwd=self.folder, timeout=120)
            said.seek(0)
            assert done.returncode == 0, f"{program}: {said.read().decode(errors='replace')}"


def _group() -> int:
    import pwd

    return pwd.getpwnam(OTHER).pw_gid


@contextmanager
def running(folder: Path) -> Iterator[Postgres]:
    """A server with its binaries in `folder`, stopped and swept away at the end, whatever happens."""
    place = Path(tempfile.mkdtemp(prefix="surehand-pg-", dir="/tmp"))  # a socket's path must be short
    server = Postgres(place, folder)
    try:
        server.create()
        server.start()
        yield server
    finally:
        _end(server)
        shutil.rmtree(place, ignore_errors=True)


def _end(server: Postgres) -> None:
    file = server.folder / "data" / "postmaster.pid"
    if not file.exists():
        return
    pid = int(file.read_text().split()[0])
    subprocess.run(["kill", "-QUIT", str(pid)], check=False)  # immediate shutdown: nothing in it is needed any more
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.1)
    subprocess.run(["kill", "-KILL", str(pid)], check=False)
