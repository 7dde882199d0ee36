"""Which worker has more connections than another, as forked workers know it of each other."""

from __future__ import annotations

import os

from davstore.server.crowds import share


def test_a_worker_knows_how_many_more_it_has_than_that_with_the_fewest() -> None:
    one, two, three = share(3)
    one.report(5)
    two.report(2)
    three.report(3)
    assert [crowd.excess() for crowd in (one, two, three)] == [3, 0, 1]


def test_one_that_accepts_nothing_is_not_waited_for() -> None:
    one, two = share(2)
    one.report(5)
    assert one.excess() == 0  # the other has not begun
    two.report(1)
    assert one.excess() == 4
    two.leave()
    assert one.excess() == 0


def test_a_forked_process_is_heard() -> None:
    one, two = share(2)
    one.report(5)
    child = os.fork()
    if child == 0:
        two.report(3)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert one.excess() == 2
