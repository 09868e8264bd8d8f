"""Values of the settings of what an operator sees."""

import pytest

from quaich.settings import SettingError, settings


@pytest.mark.parametrize("text", ["127.0.0.1:9090", ":9090", "[::1]:9090", "unix:/run/a", "fd://3"])
def test_an_admin_address_is_written_as_any_other(text: str) -> None:
    assert settings(admin_bind=text).admin.admin_bind == text


@pytest.mark.parametrize("text", ["9090", "http://host:9090", "host:port", "", "unix:"])
def test_a_wrong_admin_address_is_an_error(text: str) -> None:
    with pytest.raises(SettingError, match="admin_bind"):
        settings(admin_bind=text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("statsd", "statsd:8125"),
        ("statsd:9125", "statsd:9125"),
        ("[::1]:8125", "[::1]:8125"),
        ("unix:/run/statsd", "unix:/run/statsd"),
    ],
)
def test_statsd_has_a_port_of_its_own(text: str, found: str) -> None:
    assert settings(statsd_host=text).admin.statsd_host == found


@pytest.mark.parametrize("text", [":8125", "host:0", "fd://3", "host:", ""])
def test_a_wrong_statsd_address_is_an_error(text: str) -> None:
    with pytest.raises(SettingError, match="statsd_host"):
        settings(statsd_host=text)


@pytest.mark.parametrize("path", ["/", "/health", "/-/ready.txt", "/~a_b"])
def test_a_health_path_is_a_path(path: str) -> None:
    assert settings(health_path=path).admin.health_path == path


@pytest.mark.parametrize("path", ["health", "/a?b", "/a b", "/%41", "/caf\xe9", "/a\n", ""])
def test_what_no_request_could_ask_for_is_an_error(path: str) -> None:
    with pytest.raises(SettingError, match="health_path"):
        settings(health_path=path)


def test_none_of_it_is_there_unless_it_is_asked_for() -> None:
    admin = settings().admin
    assert (admin.admin_bind, admin.health_path, admin.statsd_host) == (None, None, None)
