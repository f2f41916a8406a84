"""TLS in a configuration, and the paths of the files that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from config.strict import Loc, Model, Problem
from core.runtime.tls import TlsFiles

FilePath = Annotated[Path, Field(strict=False)]

_OF_TLS: Final = ("ca", "certificate", "key")
_OF_SECRETS: Final = ("password_file", "url_file")


class Tls(Model):
    """The certificate authority that signs the other side, and our own certificate.

    Attributes
    ----------
    ca
        PEM file of the authority.
    certificate, key
        PEM files of our own certificate, where the other side asks for one.
    server_name
        Name in the other side's certificate, where it is not the host.
    """

    ca: FilePath
    certificate: FilePath | None = None
    key: FilePath | None = None
    server_name: Annotated[str, Field(min_length=1)] | None = None

    @property
    def files(self) -> TlsFiles:
        """The same for those who know nothing of configurations."""
        return TlsFiles(self.ca, self.certificate, self.key, self.server_name)

    def problems_at(self, loc: Loc) -> Iterator[Problem]:
        """Yield what is wrong with it; `loc` is where it stands."""
        if (self.certificate is None) != (self.key is None):
            yield Problem(
                loc,
                "A certificate and its key belong together.",
                evidence="key is missing" if self.key is None else "certificate is missing",
                next="give both, or neither",
            )


def with_file_paths(data: Any, folder: Path) -> Any:
    """Return a document's data with the paths of certificates and secrets taken relative to its folder."""
    if isinstance(data, tuple):
        return tuple(with_file_paths(item, folder) for item in data)
    if not isinstance(data, dict):
        return data
    return {
        key: _resolved(value, folder, _OF_TLS)
        if key == "tls" and isinstance(value, dict)
        else str(folder / value)
        if key in _OF_SECRETS and isinstance(value, str)
        else with_file_paths(value, folder)
        for key, value in data.items()
    }


def _resolved(data: dict[Any, Any], folder: Path, keys: tuple[str, ...]) -> dict[Any, Any]:
    return {
        key: str(folder / value) if key in keys and isinstance(value, str) else value
        for key, value in data.items()
    }
