"""What an image that configures itself at its first start is told (cloud-init's NoCloud)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["CloudInit"]

_USER = r"[a-z_][a-z0-9_-]{0,31}"
"""As Debian's and Red Hat's useradd take a name."""

_HOSTNAME = (
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_HASH = r"\$[A-Za-z0-9]{1,8}\$[A-Za-z0-9./$=,*+_-]+"
_KEY = r"(ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\n\r]*)?"
_PACKAGE = r"[A-Za-z0-9][A-Za-z0-9@+._:~=*/-]*"

HOSTNAME_LIMIT = 253


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class CloudInit(Value):
    """What the guest shall make of itself at its first start.

    Parameters
    ----------
    user : made where the image does not have it, and may become root without a password;
        ``None`` for the one that the image brings
    ssh_keys : public keys that the user may log in with, as in a ``.pub`` file
    password_hash : of the user's password, for the console: what ``openssl passwd -6`` prints
    packages : installed by the guest's own package manager, from the network
    run : lines of a shell script that root runs once the rest is done
    hostname : ``None`` leaves it to the image
    """

    user: str | None = None
    ssh_keys: tuple[str, ...] = ()
    password_hash: str | None = None
    packages: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    hostname: str | None = None

    def __post_init__(self) -> None:
        if self.user is not None:
            _match("cloud_init.user", self.user, _USER, "not a user's name such as 'anna'")
        for key in validate.texts("cloud_init.ssh_keys", self.ssh_keys):
            reason = "not a public key; give the text of a .pub file, 'ssh-ed25519 AAAA… you@here'"
            _match("cloud_init.ssh_keys", key, _KEY, reason)
        if self.password_hash is not None:
            reason = "a hash is wanted, not the password itself: openssl passwd -6"
            _match("cloud_init.password_hash", self.password_hash, _HASH, reason)
        for package in validate.texts("cloud_init.packages", self.packages):
            _match("cloud_init.packages", package, _PACKAGE, "not a package's name")
        for line in validate.texts("cloud_init.run", self.run):
            if not _unicode("cloud_init.run", line).strip():
                raise SpecError("cloud_init.run", line, "an empty command")
        if self.hostname is not None:
            _match("cloud_init.hostname", self.hostname, _HOSTNAME, "not a host's name: web1")
            if len(self.hostname) > HOSTNAME_LIMIT:
                raise SpecError("cloud_init.hostname", self.hostname, "longer than 253 characters")


def _match(field: str, value: object, pattern: str, reason: str) -> None:
    if re.fullmatch(pattern, _unicode(field, value), re.ASCII) is None:
        raise SpecError(field, value, reason)


def _unicode(field: str, value: object) -> str:
    given = validate.text(field, value)
    if any("\ud800" <= character <= "\udfff" for character in given):
        raise SpecError(field, value, "is not UTF-8")
    return given
