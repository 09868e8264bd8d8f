"""Kinds of settings that name a place: where to listen, where to send, what path of a URL."""

import re
from typing import Final

from quaich.settings.address import Address, Descriptor, parse_address
from quaich.settings.kinds import Kind, parse_text, show_or_none

STATSD_PORT: Final = 8125


def _parse_addresses(value: object) -> tuple[str, ...]:
    """Of one text, with commas between addresses, or of several texts."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, tuple | list) or not all(isinstance(each, str) for each in values):
        raise ValueError("it takes an address, which is a text, or a list of them")
    addresses = tuple(each.strip() for text in values for each in text.split(","))
    if not addresses:
        raise ValueError("it takes at least one address")
    seen = set()
    for text in addresses:
        address = parse_address(text)
        if address in seen and not (isinstance(address, Address) and address.port == 0):
            raise ValueError(f"{text} is given twice")
        seen.add(address)
    return addresses


ADDRESSES: Final = Kind(
    "ADDRESS",
    "addresses",
    _parse_addresses,
    ",".join,
    is_list=True,
)


def _parse_address(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("it takes an address, which is a text")
    parse_address(value)
    return value


ADDRESS_OR_NONE: Final[Kind[str | None]] = Kind(
    "ADDRESS",
    "an address",
    _parse_address,
    show_or_none,
)


def _parse_statsd(value: object) -> str | None:
    """As gunicorn, but that the port may be left out. With it, whoever reads this needs no
    default."""
    text = parse_text(value) if value is not None else None
    if text is None:
        return None
    if ":" not in text:
        text = f"{text}:{STATSD_PORT}"
    address = parse_address(text)
    if isinstance(address, Descriptor) or (
        isinstance(address, Address) and not (address.host and address.port)
    ):
        raise ValueError("it takes HOST, HOST:PORT or unix:PATH")
    return text


STATSD_OR_NONE: Final[Kind[str | None]] = Kind(
    "ADDRESS",
    "`HOST`, `HOST:PORT` or `unix:PATH`",
    _parse_statsd,
    show_or_none,
)


def _parse_url_path(value: object) -> str | None:
    if value is None:
        return None
    # As in PATH_INFO, but that there is no need for what has to be percent-encoded.
    if isinstance(value, str) and re.fullmatch(r"/[\w\-.~/]*", value, re.ASCII):
        return value
    raise ValueError("it takes a path such as /health: letters, digits and / - . _ ~")


def _parse_target(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"/[!-~]*", value) and "#" not in value:
        return value
    raise ValueError("it takes a path such as /ready, perhaps with ?NAME=VALUE, in ASCII")


TARGET_OR_NONE: Final[Kind[str | None]] = Kind(
    "PATH",
    "a path that begins with `/`, and perhaps a query",
    _parse_target,
    show_or_none,
)


URL_PATH_OR_NONE: Final[Kind[str | None]] = Kind(
    "PATH",
    "a path that begins with `/`",
    _parse_url_path,
    show_or_none,
)
