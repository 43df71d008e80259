"""When a failed callback is tried again."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from ttsprompt.domain.model import Policy
from ttsprompt.domain.payload import retry_delay

STEPS_S = (60, 300, 1800, 7200, 14400, 28800, 43200, 57600, 86400, 86400)


def delay_s(attempts_made: int, *, retry_after_s: float | None = None, fraction: float = 0.5) -> float:
    delay = retry_delay(Policy(), attempts_made, retry_after_s, fraction)
    assert delay is not None
    return delay.total_seconds()


def test_the_default_schedule_has_the_ten_steps_of_the_contract() -> None:
    assert [delay_s(tries) for tries in range(1, 11)] == list(STEPS_S)


def test_the_eleventh_failure_is_the_last() -> None:
    assert retry_delay(Policy(), 10, None, 0.5) is not None
    assert retry_delay(Policy(), 11, None, 0.5) is None


def test_tries_after_the_schedule_is_used_up_get_no_further_one() -> None:
    assert retry_delay(Policy(), 60, None, 0.5) is None


def test_retry_after_does_not_lengthen_a_schedule_that_is_used_up() -> None:
    assert retry_delay(Policy(), 11, 60, 0.5) is None


def test_the_eleven_tries_spread_over_three_point_eight_days() -> None:
    total = timedelta(seconds=sum(delay_s(tries) for tries in range(1, 11)))
    assert total == timedelta(days=3, hours=18, minutes=36)


def test_every_delay_is_within_a_fifth_of_its_step() -> None:
    for seed in range(1000):
        fraction = random.Random(seed).random()
        for tries, step in enumerate(STEPS_S, start=1):
            assert 0.8 * step <= delay_s(tries, fraction=fraction) <= 1.2 * step


def test_the_jitter_uses_the_whole_fifth_to_both_sides() -> None:
    assert delay_s(1, fraction=0) == pytest.approx(48)
    assert delay_s(1, fraction=1) == pytest.approx(72)


def test_calls_that_failed_together_do_not_return_together() -> None:
    delays = {delay_s(1, fraction=random.Random(seed).random()) for seed in range(1000)}
    assert len(delays) > 900


@pytest.mark.parametrize(
    ("retry_after_s", "wait_s"),
    [(-5, 60), (0, 60), (59, 60), (60, 60), (90, 90), (120, 120), (121, 120), (86400, 120), (float("inf"), 120)],
)
def test_retry_after_is_honoured_between_one_and_two_steps(retry_after_s: float, wait_s: float) -> None:
    assert delay_s(1, retry_after_s=retry_after_s, fraction=0) == wait_s


def test_retry_after_applies_to_the_step_that_is_next() -> None:
    assert delay_s(3, retry_after_s=2400, fraction=0) == 2400


def test_retry_after_never_shortens_the_wait() -> None:
    assert delay_s(1, retry_after_s=1, fraction=1) == pytest.approx(72)


def test_with_retry_after_every_delay_is_between_one_and_two_steps() -> None:
    for seed in range(1000):
        chance = random.Random(seed)
        delay = delay_s(2, retry_after_s=chance.uniform(-10, 2000), fraction=chance.random())
        assert 300 <= delay <= 600


def test_a_schedule_of_one_step_is_two_tries() -> None:
    policy = Policy(retry_schedule=(timedelta(seconds=2),))
    assert retry_delay(policy, 1, None, 0.5) == timedelta(seconds=2)
    assert retry_delay(policy, 2, None, 0.5) is None
