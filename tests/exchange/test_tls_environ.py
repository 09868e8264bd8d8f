"""The variables of a connection with TLS, which have the names of Apache's mod_ssl."""

import pytest

from quaich.exchange.tls_environ import Session, distinguished_name, tls_variables

CIPHER = ("TLS_AES_256_GCM_SHA384", "TLSv1.3", 256)


def test_without_a_certificate_of_the_client() -> None:
    assert tls_variables(Session("TLSv1.3", CIPHER, False)) == {
        "HTTPS": "on",
        "SSL_PROTOCOL": "TLSv1.3",
        "SSL_CIPHER": "TLS_AES_256_GCM_SHA384",
        "SSL_CIPHER_USEKEYSIZE": "256",
        "SSL_SESSION_RESUMED": "Initial",
        "SSL_CLIENT_VERIFY": "NONE",
    }


def test_no_field_of_a_request_has_such_a_name() -> None:
    """So none can pretend to be one of them."""
    client = {"subject": ((("commonName", "a"),),), "subjectAltName": (("DNS", "b"),)}
    session = Session("TLSv1.3", CIPHER, True, "host.test", client, "PEM")
    assert not [name for name in tls_variables(session) if name.startswith("HTTP_")]


def test_a_certificate_says_only_what_it_has() -> None:
    variables = tls_variables(Session("TLSv1.2", CIPHER, True, client={"version": 3}))
    assert variables["SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert variables["SSL_SESSION_RESUMED"] == "Resumed"
    assert variables["SSL_CLIENT_S_DN"] == variables["SSL_CLIENT_I_DN"] == ""
    assert all(type(value) is str for value in variables.values())


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("a,CN=admin", r"a\,CN=admin"),
        ('"q"', r"\"q\""),
        ("a+b;c<d>e", r"a\+b\;c\<d\>e"),
        ("back\\slash", r"back\\slash"),
        ("#hash", r"\#hash"),
        ("a#b", "a#b"),
        (" both ", r"\ both\ "),
        (" ", r"\ "),
        ("nul\0", r"nul\00"),
        ("Jörg", "J\xc3\xb6rg"),
        ("\U0001f600", "\xf0\x9f\x98\x80"),
        ("", ""),
    ],
)
def test_a_value_cannot_pass_for_more_than_one(value: str, written: str) -> None:
    """RFC 4514, section 2.4."""
    assert distinguished_name(((("commonName", value),),)) == f"CN={written}"


def test_the_order_of_a_name() -> None:
    names = (
        (("domainComponent", "test"),),
        (("domainComponent", "example"),),
        (("organizationalUnitName", "Sales"), ("commonName", "J. Smith")),
        (("1.2.3.4", "x"),),
    )
    assert distinguished_name(names) == "1.2.3.4=x,OU=Sales+CN=J. Smith,DC=example,DC=test"
