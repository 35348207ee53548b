"""errors: what a function raises is what SQL sees."""

import pytest
from fake_plpy import FakeError, FakePlpy
from memos_pl import errors


def fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "sqlstate"),
    [
        (errors.ArgumentError("blank text", "Text 1.", "Pass text."), "MO400"),
        (errors.ProviderError("too slow", "30 s.", "Wait.", retryable=True), "58030"),
        (errors.MemosError("broken", "row 1", "Report it."), "MO500"),
    ],
)
def test_an_error_keeps_all_its_parts(error: errors.MemosError, sqlstate: str) -> None:
    with pytest.raises(FakeError) as caught:
        errors.call(FakePlpy(), fail, error)
    assert caught.value.message == error.message
    assert caught.value.fields == {
        "detail": error.detail,
        "hint": error.hint,
        "sqlstate": sqlstate,
    }
    assert caught.value.__context__ is None


def test_bugs_are_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError):
        errors.call(FakePlpy(), fail, ZeroDivisionError())


def test_results_and_arguments_pass() -> None:
    assert errors.call(FakePlpy(), lambda a, b: (a, b), 1, b=2) == (1, 2)
