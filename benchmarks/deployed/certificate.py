"""A certificate for 127.0.0.1 that all servers have, and a client that takes no other."""

import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple

from benchmarks.servers.environment import EnvironmentFailure, find_program


class Certificate(NamedTuple):
    certificate: Path
    key: Path


def make_certificate(made: Certificate) -> None:
    """ECDSA with P-256, as most certificates are now made; the key in PKCS #8, which granian
    needs."""
    command = [
        *(find_program("openssl") or "openssl", "req", "-x509", "-nodes", "-days", "7"),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=127.0.0.1"),
        *("-addext", "subjectAltName=IP:127.0.0.1"),
        *("-out", str(made.certificate), "-keyout", str(made.key)),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise EnvironmentFailure(f"openssl made no certificate: {run.stderr.strip()}")


def client_context(certificate: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate.certificate))
