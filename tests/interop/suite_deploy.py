"""What others say of how Quaich is deployed: the schema of Kubernetes, and sslyze of our TLS."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from interop.serving import running

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROGRAMS = Path(sys.executable).parent


def test_kubernetes_takes_the_manifests() -> None:
    manifest = DEPLOY / "kubernetes" / "shop.yaml"
    done = subprocess.run(
        [str(PROGRAMS / "kubernetes-validate"), "--strict", str(manifest)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = re.findall("passed for resource ([a-z]+)/", done.stdout + done.stderr)
    assert kinds == ["deployment", "service", "poddisruptionbudget"]


def scanned(directory: Path, *options: str) -> tuple[dict[str, Any], str]:
    """What sslyze has found, and its comparison with Mozilla's "intermediate" configuration."""
    crt, key, both, out = (directory / name for name in ("crt", "key", "both.pem", "out.json"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(crt)),
        ],
        check=True,
        capture_output=True,
    )
    both.write_bytes(crt.read_bytes() + key.read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # The server takes it over, so the port is known and nobody else has it.
        listening.set_inheritable(True)
        port, fd = listening.getsockname()[1], listening.fileno()
        command = ["-m", "quaich", "demo", "-b", f"fd://{fd}", "--certfile", str(both), *options]
        with running(command, pass_fds=(fd,)) as served:
            done = subprocess.run(
                [str(PROGRAMS / "sslyze"), f"--json_out={out}", f"127.0.0.1:{port}"],
                capture_output=True,
                text=True,
                timeout=120,
            )
            served.stop()
    (scan,) = json.loads(out.read_text("utf-8"))["server_scan_results"]
    results = {
        name: each["result"]
        for name, each in scan["scan_result"].items()
        if each["status"] == "COMPLETED"
    }
    return results, done.stdout


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    return scanned(tmp_path_factory.mktemp("sslyze"))


def test_old_versions_are_not_spoken(scan: tuple[dict[str, Any], str]) -> None:
    versions = {
        name.removesuffix("_cipher_suites"): found["is_tls_version_supported"]
        for name, found in scan[0].items()
        if name.endswith("_cipher_suites")
    }
    assert versions == {
        "ssl_2_0": False,
        "ssl_3_0": False,
        "tls_1_0": False,
        "tls_1_1": False,
        "tls_1_2": True,
        "tls_1_3": True,
    }


def test_known_holes_are_not_there(scan: tuple[dict[str, Any], str]) -> None:
    found = scan[0]
    assert not found["heartbleed"]["is_vulnerable_to_heartbleed"]
    assert not found["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"]
    assert found["robot"]["robot_result"].startswith("NOT_VULNERABLE")
    assert not found["tls_compression"]["supports_compression"]
    renegotiation = found["session_renegotiation"]
    assert renegotiation["supports_secure_renegotiation"]
    assert not renegotiation["is_vulnerable_to_client_renegotiation_dos"]


def test_it_is_mozilla_s_intermediate_configuration(scan: tuple[dict[str, Any], str]) -> None:
    """But for a certificate that nobody has signed, and two curves more, which Python before 3.15
    cannot leave out."""
    _, _, compliance = scan[1].partition("COMPLIANCE AGAINST TLS CONFIGURATION")
    faults = [line.strip() for line in compliance.splitlines() if line.strip().startswith("*")]
    allowed = ("* certificate_path_validation:", "* tls_curves: TLS curves {")
    assert [fault for fault in faults if not fault.startswith(allowed)] == []
    assert compliance
