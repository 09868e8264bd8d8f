"""What is said of certificates that cannot be had: in one line, before anything listens."""

import os
import shutil
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

from quaich import Server
from quaich.server.tls.certificates import Certificates, load_certificates
from quaich.settings import SettingError, Tls, settings
from server.applications import hello
from server.certificates import Authority, Issued, key_in_pem


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def issued(authority: Authority) -> Issued:
    return authority.issue("localhost")


@pytest.fixture
def files(tmp_path: Path, authority: Authority, issued: Issued) -> Path:
    """A directory with a file of each kind."""
    issued.write(tmp_path / "both")
    issued.write(tmp_path / "encrypted", "sesame")
    (tmp_path / "cert").write_bytes(issued.certificate_in_pem)
    (tmp_path / "key").write_bytes(key_in_pem(issued.key))
    (tmp_path / "other-key").write_bytes(key_in_pem(authority.issue("other").key))
    (tmp_path / "text").write_text("hello")
    begin, end = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
    (tmp_path / "damaged").write_text(f"{begin}AAAA\n{end}")
    (tmp_path / "damaged-key").write_text(
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    )
    (tmp_path / "ca").write_bytes(authority.path.read_bytes())
    for name in ("empty-dir", "hosts"):
        (tmp_path / name).mkdir()
    return tmp_path


def said(files: Path, **given: str) -> str:
    """Of settings whose values are names in ``files``, as the user reads it."""
    words = {"keyfile_password", "ciphers", "cert_reqs"}
    values = {
        name: value if name in words or value == "adhoc" else str(files / value)
        for name, value in given.items()
    }
    with pytest.raises(SettingError) as caught:
        load_certificates(settings(**values).tls)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(f"{files}/", "")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"certfile": "missing"},
            "certfile: cannot read 'missing': No such file or directory",
        ),
        ({"certfile": "hosts"}, "certfile: cannot read 'hosts': Is a directory"),
        ({"certfile": "text"}, "certfile: 'text' has no certificate in PEM"),
        ({"certfile": "key"}, "certfile: 'key' has no certificate in PEM"),
        (
            {"certfile": "cert"},
            "certfile: 'cert' has no private key in PEM; the key has to be in it, or --keyfile has"
            " to name it",
        ),
        (
            {"certfile": "cert", "keyfile": "missing"},
            "keyfile: cannot read 'missing': No such file or directory",
        ),
        ({"certfile": "cert", "keyfile": "ca"}, "keyfile: 'ca' has no private key in PEM"),
        (
            {"certfile": "cert", "keyfile": "other-key"},
            "keyfile: the key in 'other-key' is not that of 'cert'",
        ),
        (
            {"certfile": "encrypted"},
            "certfile: 'encrypted' is encrypted: it needs keyfile_password",
        ),
        (
            {"certfile": "cert", "keyfile": "encrypted"},
            "keyfile: 'encrypted' is encrypted: it needs keyfile_password",
        ),
        (
            {"certfile": "encrypted", "keyfile_password": "wrong"},
            "keyfile_password: it is not the password of 'encrypted'",
        ),
        (
            {"certfile": "both", "ca_certs": "missing"},
            "ca_certs: cannot read 'missing': No such file or directory",
        ),
        (
            {"certfile": "both", "ciphers": "NONE-SUCH"},
            "ciphers: OpenSSL knows no cipher in 'NONE-SUCH'; `openssl ciphers` lists them",
        ),
        (
            {"certfile": "both", "sni_dir": "missing"},
            "sni_dir: 'missing': No such file or directory",
        ),
        ({"certfile": "both", "sni_dir": "text"}, "sni_dir: 'text': Not a directory"),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_what_is_wrong(files: Path, given: dict[str, str], line: str) -> None:
    assert said(files, **given) == line


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ({"certfile": "damaged", "keyfile": "key"}, "certfile: 'damaged' with 'key': "),
        ({"certfile": "cert", "keyfile": "damaged-key"}, "certfile: 'cert' with 'damaged-key': "),
        ({"certfile": "both", "ca_certs": "text"}, "ca_certs: 'text' has no certificates in PEM: "),
    ],
)
def test_what_openssl_finds_wrong(files: Path, given: dict[str, str], start: str) -> None:
    assert said(files, **given).startswith(start)


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["one.test.crt"], "sni_dir: cannot read 'one.test.key': No such file or directory"),
        (["one.test.pem", "one.test.crt"], "has two files for one.test: HOST.pem and HOST.crt"),
        (["one test.pem"], "'one test' is not the name of a host"),
        (["*.test.pem"], "'*.test' is not the name of a host"),
    ],
)
def test_a_directory_of_certificates(
    files: Path, issued: Issued, names: list[str], line: str
) -> None:
    for name in names:
        issued.write(files / "hosts" / name)
    assert line in said(files, certfile="both", sni_dir="hosts").replace("hosts/", "")


def test_without_the_package_there_is_none_for_development(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert said(files, certfile="adhoc") == (
        "certfile: adhoc needs the package cryptography: pip install cryptography"
    )


def test_what_is_right(files: Path) -> None:
    for given in (
        {"certfile": "both"},
        {"certfile": "cert", "keyfile": "key"},
        {"certfile": "both", "ca_certs": "ca", "cert_reqs": "required"},
        {"certfile": "both", "sni_dir": "empty-dir"},
    ):
        values = {name: str(files / value) for name, value in given.items() if name != "cert_reqs"}
        assert isinstance(load_certificates(settings(**{**given, **values}).tls), Certificates)
    encrypted = str(files / "encrypted")
    assert load_certificates(Tls(certfile=encrypted, keyfile_password="sesame")) is not None
    assert load_certificates(Tls()) is None


def test_nothing_listens_where_a_certificate_cannot_be_had(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **keywords: Any) -> Any:
        raise AssertionError("it listens")

    monkeypatch.setattr("quaich.server.server.open_listeners", fail)
    with pytest.raises(SettingError):
        Server(hello, bind="127.0.0.1:0", certfile=files / "missing")


def test_a_key_that_may_no_longer_be_read(
    files: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that has given up its privileges asks for another one."""
    certificates = Certificates(Tls(certfile=str(files / "both")))
    asked: list[bool] = []
    certificates.on_denied = lambda: asked.append(True)

    def deny(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", deny)
    certificates.look()
    assert asked == []
    os.utime(files / "both", (1, 1))
    certificates.look()
    certificates.look()
    assert asked == [True]
    assert [record.levelname for record in caplog.records if record.levelno > 20] == []
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    assert certificates.wrap(incoming, outgoing) is not None


def test_whether_files_have_changed_is_seen_without_loading_them(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a supervisor, where workers may not even look."""
    hosts = tmp_path / "by_host"
    hosts.mkdir()
    shutil.copy(files / "both", hosts / "one.example.pem")
    certificates = Certificates(Tls(certfile=str(files / "both"), sni_dir=str(hosts)))

    def deny(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", deny)
    assert not certificates.have_changed()
    os.utime(files / "both", (1, 1))
    assert [certificates.have_changed(), certificates.have_changed()] == [True, False]
    os.utime(hosts / "one.example.pem", (1, 1))
    assert [certificates.have_changed(), certificates.have_changed()] == [True, False]
    (hosts / "one.example.pem").rename(hosts / "two.example.pem")
    assert [certificates.have_changed(), certificates.have_changed()] == [True, False]
    (hosts / "*.pem").touch()  # not the name of a host
    assert not certificates.have_changed()
