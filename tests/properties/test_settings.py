"""A value that is shown is read as the same value, and any text is a value or a ValueError."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quaich.settings import TABLE, Setting
from quaich.settings.kinds import DURATION_MAX, SIZE_MAX, duration, size

durations = st.floats(0, DURATION_MAX) | st.integers(0, 10**6).map(lambda ms: ms / 1000)
sizes = st.integers(0, SIZE_MAX) | st.builds(
    lambda number, unit: number * unit, st.integers(0, 4096), st.sampled_from([2**10, 2**20, 2**30])
)


@given(durations)
def test_a_duration_that_is_shown(value: float) -> None:
    kind = duration(zero=True)
    assert kind.parse(kind.show(value)) == value


@given(st.integers(1, 20 * 86400), st.sampled_from([("s", 1), ("m", 60), ("h", 3600)]))
def test_a_duration_in_a_unit(number: int, unit: tuple[str, int]) -> None:
    letter, factor = unit
    if number * factor <= DURATION_MAX:
        assert duration().parse(f"{number}{letter}") == duration().parse(number * factor)


@given(sizes)
def test_a_size_that_is_shown(value: int) -> None:
    kind = size(0)
    assert kind.parse(kind.show(value)) == value


@pytest.mark.parametrize("setting", TABLE.values(), ids=TABLE)
@given(text=st.text() | st.from_regex(r"[0-9]{1,20}(\.[0-9]{1,3})?([kmgsh]|ms|[kmg]ib)?"))
def test_any_text(setting: Setting, text: str) -> None:
    try:
        value = setting.kind.parse(text)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 - a ValueError is as good
    else:
        assert setting.kind.parse(setting.kind.show(value)) == value
