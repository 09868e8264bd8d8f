"""Certificates for the tests: authorities, hosts and clients, as files in PEM."""

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


def subject(name: str, *more: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    parts = [*more, (NameOID.COMMON_NAME, name)]
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


def key_in_pem(key: Key, password: str | None = None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password.encode())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


class Issued(NamedTuple):
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def certificate_in_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def write(self, path: Path, password: str | None = None) -> Path:
        """Both in one file, which is ``path``."""
        path.write_bytes(self.certificate_in_pem + key_in_pem(self.key, password))
        return path


class Authority:
    """Issues certificates."""

    def __init__(self, directory: Path, name: str = "Test authority") -> None:
        self.name = subject(name, (NameOID.ORGANIZATION_NAME, "Tests"))
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(self.name, self._key, None, is_authority=True)
        self.path = directory / f"{name.replace(' ', '-')}.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(
        self,
        name: x509.Name,
        key: Key,
        alternatives: x509.SubjectAlternativeName | None,
        *,
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=9))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        )
        # OpenSSL's strict mode, which Python 3.13 has as the default, asks for all of these.
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=is_authority,
            crl_sign=is_authority,
            encipher_only=False,
            decipher_only=False,
        )
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(usage, critical=True).add_extension(own, critical=False)
        if not is_authority:
            builder = builder.add_extension(authority, critical=False)
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def issue(self, *hosts: str) -> Issued:
        """A certificate for hosts, by name or address."""
        names = [
            x509.IPAddress(ipaddress.ip_address(host))
            if host.replace(".", "").isdigit()
            else x509.DNSName(host)
            for host in hosts
        ]
        return self.issue_to(subject(hosts[0]), x509.SubjectAlternativeName(names))

    def issue_to(
        self, name: x509.Name, alternatives: x509.SubjectAlternativeName | None = None
    ) -> Issued:
        """A certificate for somebody."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Issued(self._sign(name, key, alternatives), key)

    def client_context(self, certificate: Path | None = None) -> ssl.SSLContext:
        """For a client that trusts this authority, and has a certificate itself if one is
        given."""
        context = ssl.create_default_context(cafile=self.path)
        if certificate is not None:
            context.load_cert_chain(certificate)
        return context
