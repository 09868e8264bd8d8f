"""Certificates: loading them, saying why that cannot be, choosing by host, and noticing new ones.

    load_certificates    for settings, or None where there is no TLS
    Certificates         what a new connection is wrapped with
      _look                whether a file has changed, every few seconds
    make_adhoc           a certificate for development

A set of files is a :class:`Pair`; what is in use of it is an ``ssl.SSLContext``. A context that is
in use is never changed: a new one takes its place.
"""

import contextlib
import datetime
import re
import ssl
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple

from quaich.exchange.log import SafeLogger
from quaich.server.tls.connection import TlsConnection
from quaich.settings import SettingError, Tls

logger = SafeLogger("quaich.error")

ADHOC: Final = "adhoc"
"""In place of the name of a file: make a certificate."""

_LOOK: Final = 2.0  # seconds between two looks at the files

_REQUIREMENTS: Final = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: with forward secrecy and authenticated encryption only, as in Mozilla's
"intermediate" configuration."""

_HOST = re.compile(r"[a-z0-9_]([a-z0-9\-_]*[a-z0-9])?(\.[a-z0-9]([a-z0-9\-]*[a-z0-9])?)*").fullmatch

_ADHOC_DAYS: Final = 30

Stamp = tuple[tuple[int, int, int] | None, ...]
"""What changes when files are replaced or written: time, size and number of each, None of one
that is not there."""


_HIDDEN: Final = (-1, -1, -1)
"""The stamp of a file in a directory that this process may not enter: nothing is known of it.
Whoever may enter it looks (quaich.server.supervisor)."""


class Pair(NamedTuple):
    """A certificate with its chain, and its private key; maybe in one file."""

    certfile: Path
    keyfile: Path

    def stamp(self) -> Stamp:
        return tuple(_stamp(path) for path in dict.fromkeys(self))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except PermissionError:
        return _HIDDEN
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def load_certificates(tls: Tls) -> "Certificates | None":
    """The certificates of the settings; None if there is to be no TLS. Raises SettingError.

    Before the owner of the process changes, and before workers are forked: then they need no
    right to read the keys, and all of them know the sessions that clients resume.
    """
    return None if tls.certfile is None else Certificates(tls)


class Certificates:
    """The certificates of a server. Raises SettingError where one cannot be had.

    New files are taken up by themselves, when a connection comes; where they are not sound, the
    former ones stay, and the error log says so. Any thread, but one at a time.
    """

    connection = TlsConnection

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self.on_denied: Callable[[], object] | None = None
        """Called when new files are there and this process has no right to read them."""
        # Absolute, since the process may change its directory.
        self._directory = None if tls.sni_dir is None else Path(tls.sni_dir).absolute()
        self._next_look = monotonic() + _LOOK
        self._told = ""  # what is wrong with the directory
        self._hosts: dict[str, ssl.SSLContext] = {}
        self._domains: dict[str, ssl.SSLContext] = {}
        self._pairs: dict[str, tuple[Pair, Stamp]] = {}  # by host, "_.example.org" for all of one
        self._authorities = None if tls.ca_certs is None else Path(tls.ca_certs).absolute()
        self._authorities_stamp = self._stamp_authorities()
        if tls.certfile == ADHOC:
            self._pair: Pair | None = None
            self._stamp: Stamp = ()
            self._context = self._load_adhoc()
        else:
            certfile = Path(tls.certfile or "").absolute()
            keyfile = certfile if tls.keyfile is None else Path(tls.keyfile).absolute()
            self._pair = Pair(certfile, keyfile)
            self._stamp = self._pair.stamp()
            self._context = self._load(self._pair, "certfile", "keyfile")
        if self._directory is not None:
            for host, pair in _find_pairs(self._directory).items():
                self._pairs[host] = (pair, pair.stamp())
                self._put(host, self._load(pair, "sni_dir", "sni_dir"))

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        """OpenSSL's side of a new connection."""
        now = monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK
            self.look()
        return self._context.wrap_bio(incoming, outgoing, server_side=True)

    # --- By host ----------------------------------------------------------------------------

    def _put(self, host: str, context: ssl.SSLContext) -> None:
        if host.startswith("_."):
            self._domains[host[2:]] = context
        else:
            self._hosts[host] = context

    def _drop(self, host: str) -> None:
        if host.startswith("_."):
            self._domains.pop(host[2:], None)
        else:
            self._hosts.pop(host, None)

    def _find(self, host: str) -> ssl.SSLContext | None:
        """The context of a host. A domain's is for one label, as its certificate (RFC 6125)."""
        return self._hosts.get(host) or self._domains.get(host.partition(".")[2])

    def _on_host(self, tls: Any, host: str | None, context: ssl.SSLContext) -> None:
        """A client has said which host it wants (SNI). Not called for one that is not ASCII: then
        the handshake fails, and see _say_nothing_of_names."""
        if host is not None:
            host = tls.quaich_host = host.lower()
            found = self._find(host)
            if found is not None:
                tls.context = found

    # --- Loading ----------------------------------------------------------------------------

    def _load(self, pair: Pair, certfile: str, keyfile: str) -> ssl.SSLContext:
        """A context; ``certfile`` and ``keyfile`` are the settings that a SettingError names."""
        tls = self._tls
        if pair.keyfile == pair.certfile:
            keyfile = certfile
        texts = [_read(certfile, pair.certfile), _read(keyfile, pair.keyfile)]
        if b"-----BEGIN CERTIFICATE-----" not in texts[0]:
            raise SettingError(certfile, f"'{pair.certfile}' has no certificate in PEM")
        if b"PRIVATE KEY-----" not in texts[1]:
            if pair.keyfile == pair.certfile:
                hint = "the key has to be in it, or --keyfile has to name it"
                raise SettingError(certfile, f"'{pair.certfile}' has no private key in PEM; {hint}")
            raise SettingError(keyfile, f"'{pair.keyfile}' has no private key in PEM")
        is_asked = False

        def password() -> str:
            # Without this, OpenSSL would ask for it at the terminal.
            nonlocal is_asked
            is_asked = True
            return tls.keyfile_password or ""

        context = self._new_context()
        try:
            context.load_cert_chain(pair.certfile, pair.keyfile, password)
        except ssl.SSLError as error:
            if is_asked and error.reason != "KEY_VALUES_MISMATCH":
                if tls.keyfile_password is None:
                    reason = f"'{pair.keyfile}' is encrypted: it needs keyfile_password"
                    raise SettingError(keyfile, reason) from None
                reason = f"it is not the password of '{pair.keyfile}'"
                raise SettingError("keyfile_password", reason) from None
            if error.reason == "KEY_VALUES_MISMATCH":
                reason = f"the key in '{pair.keyfile}' is not that of '{pair.certfile}'"
                raise SettingError(keyfile, reason) from None
            what = f"'{pair.certfile}' with '{pair.keyfile}'"
            raise SettingError(certfile, f"{what}: {_words(error)}") from None
        except (OSError, ValueError) as error:
            raise SettingError(certfile, f"'{pair.certfile}': {error}") from None
        return context

    def _new_context(self) -> ssl.SSLContext:
        """A context without a certificate. All are alike but for that: which one is used is known
        only in the middle of the handshake."""
        tls = self._tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[tls.tls_min_version]
        # A client that asks for it again and again would keep a processor busy.
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        context.sni_callback = self._on_host
        _say_nothing_of_names()
        try:
            context.set_ciphers(tls.ciphers or _CIPHERS)
        except ssl.SSLError:
            reason = f"OpenSSL knows no cipher in {tls.ciphers!r}; `openssl ciphers` lists them"
            raise SettingError("ciphers", reason) from None
        path = self._authorities
        if path is not None:
            is_directory = path.is_dir()
            if not is_directory:
                _read("ca_certs", path)
            try:
                if is_directory:
                    context.load_verify_locations(capath=path)
                else:
                    context.load_verify_locations(cafile=path)
            except ssl.SSLError as error:
                reason = f"'{path}' has no certificates in PEM: {_words(error)}"
                raise SettingError("ca_certs", reason) from None
        context.verify_mode = _REQUIREMENTS[tls.cert_reqs]
        return context

    def _load_adhoc(self) -> ssl.SSLContext:
        text, fingerprint = make_adhoc()
        context = self._new_context()
        # OpenSSL reads files only. Nobody else can enter the directory.
        with tempfile.TemporaryDirectory(prefix="quaich-") as directory:
            path = Path(directory, "adhoc.pem")
            path.write_bytes(text)
            context.load_cert_chain(path)
        logger.warning(
            "a certificate for localhost was made, for development only; SHA-256 %s", fingerprint
        )
        return context

    # --- New files --------------------------------------------------------------------------

    def have_changed(self) -> bool:
        """Whether there are other files than at the last look, or when this was asked last. Nothing
        is loaded: for a process that does not serve, and sees files which those that do may not."""
        before = self._authorities_stamp, self._stamp, self._stamps_of_hosts()
        self._authorities_stamp = self._stamp_authorities()
        if self._pair is not None:
            self._stamp = self._pair.stamp()
        if self._directory is not None:
            with contextlib.suppress(SettingError):  # half of a change; the rest follows
                found = _find_pairs(self._directory)
                self._pairs = {host: (pair, pair.stamp()) for host, pair in found.items()}
        return before != (self._authorities_stamp, self._stamp, self._stamps_of_hosts())

    def _stamps_of_hosts(self) -> dict[str, Stamp]:
        return {host: stamp for host, (_, stamp) in self._pairs.items()}

    def look(self) -> None:
        """Take up files that have changed. Raises nothing."""
        try:
            self._look()
        except Exception as error:
            logger.error("certificates could not be looked at", exc_info=error)

    def _look(self) -> None:
        authorities = self._stamp_authorities()
        has_new_authorities = _HIDDEN not in authorities and authorities != self._authorities_stamp
        if has_new_authorities:
            self._authorities_stamp = authorities
        pair = self._pair
        if pair is not None:
            stamp = pair.stamp()
            if _HIDDEN not in stamp and (has_new_authorities or stamp != self._stamp):
                self._stamp = stamp
                context = self._reload(pair, "certfile", "keyfile")
                self._context = context or self._context
        if self._directory is None:
            return
        try:
            found = _find_pairs(self._directory)
        except SettingError as error:
            if str(error) != self._told:  # once, and not at each look
                self._told = str(error)
                logger.error("%s; the former certificates stay", error)
            return
        self._told = ""
        for host, pair in found.items():
            stamp = pair.stamp()
            if _HIDDEN not in stamp and (
                has_new_authorities or self._pairs.get(host) != (pair, stamp)
            ):
                self._pairs[host] = (pair, stamp)
                context = self._reload(pair, "sni_dir", "sni_dir")
                if context is not None:
                    self._put(host, context)
        for host in self._pairs.keys() - found.keys():
            del self._pairs[host]
            self._drop(host)
            logger.info("the certificate of %s is no more", host)

    def _reload(self, pair: Pair, certfile: str, keyfile: str) -> ssl.SSLContext | None:
        try:
            context = self._load(pair, certfile, keyfile)
        except SettingError as error:
            if isinstance(error.__cause__, PermissionError) and self.on_denied is not None:
                logger.info("%s; the supervisor is asked for a worker with the new one", error)
                self.on_denied()
            else:
                logger.error("%s; the former certificate stays", error)
            return None
        logger.info("the certificate in '%s' is a new one", pair.certfile)
        return context

    def _stamp_authorities(self) -> Stamp:
        return () if self._authorities is None else (_stamp(self._authorities),)


def _find_pairs(directory: Path) -> dict[str, Pair]:
    """The pairs in a directory of certificates, by host: ``HOST.pem``, or ``HOST.crt`` with
    ``HOST.key``. Raises SettingError."""
    try:
        names = sorted(path.name for path in directory.iterdir())
    except OSError as error:
        raise SettingError("sni_dir", f"'{directory}': {error.strerror}") from error
    pairs: dict[str, Pair] = {}
    for name in names:
        host, _, kind = name.lower().rpartition(".")
        path = directory / name
        if kind not in ("pem", "crt") or not path.is_file():
            continue
        if _HOST(host.removeprefix("_.")) is None:
            raise SettingError("sni_dir", f"'{path}': {host!r} is not the name of a host")
        key = path if kind == "pem" else path.with_suffix(".key")
        if host in pairs:
            raise SettingError(
                "sni_dir", f"'{directory}' has two files for {host}: HOST.pem and HOST.crt"
            )
        pairs[host] = Pair(path, key)
    return pairs


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingError(name, f"cannot read '{path}': {error.strerror}") from error


def _words(error: ssl.SSLError) -> str:
    """What OpenSSL says, without its own names."""
    return (error.reason or str(error)).replace("_", " ").lower()


# --- For development ------------------------------------------------------------------------


def _say_nothing_of_names() -> None:
    """Python prints a traceback for each client whose SNI is not ASCII, because there is nobody to
    raise the error in. It says so to a hook, which is this one from now on, for that alone."""
    former = sys.unraisablehook
    if getattr(former, "is_ours", False):
        return

    def hook(unraisable: Any, /) -> None:
        error = unraisable.exc_value
        if isinstance(error, UnicodeDecodeError) and unraisable.object == error.object:
            logger.debug("a client has named a host that is none: %r", error.object)
        else:
            former(unraisable)

    hook.is_ours = True  # type: ignore[attr-defined]
    sys.unraisablehook = hook


def make_adhoc() -> tuple[bytes, str]:
    """A new certificate for this host with its key, in PEM, and its fingerprint.

    Needs the package cryptography: SettingError without it.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError:
        reason = "adhoc needs the package cryptography: pip install cryptography"
        raise SettingError("certfile", reason) from None
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=_ADHOC_DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return text, certificate.fingerprint(hashes.SHA256()).hex(":").upper()
