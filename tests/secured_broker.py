"""A real Mosquitto, secured by the configuration and the rules that Seiren writes."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from config.mosquitto import ACL, CA, CERTIFICATE, KEY, PASSWORDS, acl_text, mosquitto_conf
from core.delivery.access import Access
from core.runtime.mqtt_security import MqttSecurity
from core.runtime.tls import TlsFiles
from tests.authority import Authority
from tests.parts import MOSQUITTO, MOSQUITTO_PASSWD, require
from tests.servers import LOOPBACK, ServerProcess, free_port


@dataclass(frozen=True, slots=True)
class Secret:
    """What a client shows: a certificate, or name and password."""

    files: tuple[Path, Path] | None = None
    username: str | None = None
    password_file: Path | None = None


class SecuredBroker(ServerProcess):
    """A Mosquitto with TLS and access rules, and the secrets of its clients.

    Parameters
    ----------
    folder
        Where everything stands.
    rules
        Who may do what; each gets a certificate, or a password.
    identity
        By what clients show who they are.
    authority, ca
        Who signs; or the file of an authority whose clients are the test's own matter.
    broker_files
        The broker's certificate and key.
    conf
        Lines to add to Mosquitto's configuration.
    """

    def __init__(
        self,
        folder: Path,
        rules: Sequence[Access],
        *,
        identity: Literal["certificate", "password"] = "certificate",
        authority: Authority | None = None,
        ca: Path | None = None,
        broker_files: tuple[Path, Path] | None = None,
        conf: str = "",
    ) -> None:
        port = free_port()
        self.folder = folder
        self.identity = identity
        (folder / "authority").mkdir(exist_ok=True)
        self.authority = authority or Authority(folder / "authority", "works")
        certificate, key = broker_files or self.authority.signs("localhost", LOOPBACK)
        self.ca = ca or self.authority.file
        for source, name in ((self.ca, CA), (certificate, CERTIFICATE), (key, KEY)):
            (folder / name).write_bytes(source.read_bytes())
        (folder / ACL).write_text(acl_text(rules, "a test"), encoding="utf-8")
        text = mosquitto_conf(PurePosixPath(folder), identity=identity, port=port)
        text = text.replace(f"listener {port}\n", f"listener {port} {LOOPBACK}\n") + conf
        if os.geteuid() == 0:
            text += "user root\n"  # else it gives up root, and with it its folder
        config = folder / "mosquitto.conf"
        config.write_text(text, encoding="utf-8")
        self.secrets = {rule.user: self._secret(rule.user) for rule in rules}
        super().__init__([str(require(MOSQUITTO)), "-c", str(config)], folder=folder, port=port)

    def security(self, user: str) -> MqttSecurity:
        """Return what a client of that name shows."""
        secret = self.secrets[user]
        certificate, key = secret.files or (None, None)
        return MqttSecurity(
            tls=TlsFiles(self.authority.file, certificate, key),
            username=secret.username,
            password_file=secret.password_file,
        )

    def yaml(self, user: str) -> str:
        """Return the same as the key `broker` of a configuration."""
        secret = self.secrets[user]
        tls = f"ca: {self.authority.file}"
        if secret.files is not None:
            tls += f", certificate: {secret.files[0]}, key: {secret.files[1]}"
        named = ""
        if secret.username is not None:
            named = f", username: {secret.username}, password_file: {secret.password_file}"
        return f"broker: {{host: {self.host}, port: {self.port}, tls: {{{tls}}}{named}}}"

    def answers(self) -> bool:
        """Return whether the broker takes a TLS connection."""
        context = ssl.create_default_context(cafile=self.ca)
        some = next(iter(self.secrets.values())).files if self.secrets else None
        if some is not None:
            context.load_cert_chain(*some)
        try:
            with (
                socket.create_connection((self.host, self.port), timeout=1) as link,
                context.wrap_socket(link, server_hostname="localhost") as secured,
            ):
                secured.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x05\x00\x04ping")
                return secured.recv(4)[:1] == b"\x20"
        except ssl.SSLError:
            return True  # it speaks TLS; whom it trusts is the test's matter
        except OSError:
            return False

    def _secret(self, user: str) -> Secret:
        if self.identity == "certificate":
            return Secret(files=self.authority.signs(user))
        file = self.folder / f"{user}.password"
        file.touch(mode=0o600)
        file.write_text(f"secret-of-{user}\n", encoding="ascii")
        passwords = self.folder / PASSWORDS
        passwords.touch(mode=0o600)
        subprocess.run(
            [str(require(MOSQUITTO_PASSWD)), "-b", str(passwords), user, f"secret-of-{user}"], check=True
        )
        return Secret(username=user, password_file=file)
