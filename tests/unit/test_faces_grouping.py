"""Grouping: tracks become people, by average linkage, never two in one frame."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from model_zoo.faces import grouping
from model_zoo.faces.grouping import Group, group_of, people

THRESHOLD = 0.55


def faces_of(person: int, count: int, seed: int, spread: float = 0.03) -> NDArray[np.float64]:
    """Return embeddings around the person's own place, about 0.2 apart; two people are 0.7 apart."""
    random = np.random.default_rng(seed)
    centre = np.zeros(64)
    centre[person] = 0.5
    return centre + random.normal(0, spread / np.sqrt(2), (count, 64))


def by_person(*tracks: tuple[int, float]) -> list[Group]:
    """Return groups of one track each: who it shows, and when."""
    return [group_of(n, [seconds], faces_of(person, 3, n)) for n, (person, seconds) in enumerate(tracks)]


def members(groups: list[Group]) -> list[set[int]]:
    return [set(group.tracks) for group in groups]


def test_tracks_of_one_person_are_united_whatever_their_order() -> None:
    for order in itertools.permutations([(0, 0.0), (1, 1.0), (0, 2.0), (1, 3.0), (2, 4.0)]):
        found = members(people(by_person(*order), THRESHOLD))
        who = [person for person, _ in order]
        assert sorted(map(sorted, found)) == sorted(
            [n for n, other in enumerate(who) if other == person] for person in set(who)
        )


def test_two_faces_in_one_frame_are_two_people_however_alike() -> None:
    assert len(people(by_person((0, 1.0), (0, 1.0)), THRESHOLD)) == 2
    twins_and_one_more = people(by_person((0, 1.0), (0, 1.0), (0, 2.0)), THRESHOLD)
    assert len(twins_and_one_more) == 2


def test_the_distance_is_the_root_mean_square_of_all_pairs() -> None:
    one, other = faces_of(0, 4, 1), faces_of(1, 7, 2)
    pairs = [np.sum((a - b) ** 2) for a in one for b in other]
    (distance,) = grouping.square_distances([group_of(0, [], one)], [group_of(1, [], other)])[0]
    assert distance == pytest.approx(np.mean(pairs))


def test_the_result_is_that_of_always_uniting_the_nearest_pair() -> None:
    random = np.random.default_rng(5)
    tracks = [random.normal(0, 0.12, (random.integers(1, 4), 16)) for _ in range(40)]
    groups = [group_of(n, [float(n)], faces) for n, faces in enumerate(tracks)]
    expected = [group_of(n, [float(n)], faces) for n, faces in enumerate(tracks)]
    while len(expected) > 1:
        distances = grouping.square_distances(expected, expected)
        np.fill_diagonal(distances, np.inf)
        one, other = np.unravel_index(distances.argmin(), distances.shape)
        if distances[one, other] > 0.6**2:
            break
        joined = grouping._joined(expected[one], expected[other])
        expected = [group for n, group in enumerate(expected) if n not in (one, other)] + [joined]
    found = people(groups, threshold=0.6)
    assert 1 < len(found) < 40
    assert sorted(map(sorted, members(found))) == sorted(map(sorted, members(expected)))


def test_long_media_are_grouped_piece_by_piece_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = by_person(*((n % 5, float(n)) for n in range(60)))
    monkeypatch.setattr(grouping, "MOST_AT_ONCE", 7)
    assert members(people(groups, THRESHOLD)) == [set(range(person, 60, 5)) for person in range(5)]


def test_thousands_of_people_take_no_more_memory_than_a_few_thousand() -> None:
    random = np.random.default_rng(3)
    seen = [group_of(n, [float(n)], random.normal(0, 1, (1, 128))) for n in range(9_000)]
    tracemalloc.start()
    found = people(seen, THRESHOLD)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 9_000
    assert peak_bytes < 400e6


def test_nobody_gives_nobody() -> None:
    assert people([], THRESHOLD) == []


def test_of_more_people_than_can_be_compared_those_seen_most_are_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MOST_AT_ONCE", 4)
    monkeypatch.setattr(grouping, "MOST_CARRIED", 2)
    compared: list[int] = []
    whole = grouping.square_distances
    monkeypatch.setattr(
        grouping, "square_distances", lambda some, others: compared.append(len(some)) or whole(some, others)
    )
    seen = by_person(
        (0, 0.0), (1, 1.0), (0, 2.0), (1, 3.0), *((n, float(n + 4)) for n in range(2, 20)), (0, 90.0), (1, 91.0)
    )
    found = members(people(seen, THRESHOLD))
    assert {0, 2, 22} in found
    assert {1, 3, 23} in found
    assert len(found) == 20
    assert max(compared) == 2 + 4
