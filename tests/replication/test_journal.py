"""A journal's room, in memory and beyond: what is held is counted, and forgetting never makes it more."""

from collections.abc import Iterator

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from drsim.blocks.batch import WriteBatch
from drsim.blocks.bitmap import Bitmap
from drsim.blocks.extents import written
from drsim.replication.journal import Absent, Journal

moves = st.lists(
    st.tuples(st.just("append"), st.lists(st.integers(1, 9), min_size=1, max_size=5))
    | st.tuples(st.sampled_from(["trim", "evict", "cut"]), st.integers(0, 4)),
    max_size=30,
)


def writes(first: int, sizes: list[int]) -> WriteBatch:
    n = len(sizes)
    seq = np.arange(first, first + n)
    return WriteBatch(
        seq, seq * 1.0, np.zeros(n, np.uint16), seq * 4096, np.array(sizes), np.zeros(n, np.uint8)
    )


def pieces(journal: Journal) -> Iterator[int]:
    """What can be had from it, in memory or from its medium."""
    at = journal.trimmed
    while (piece := journal.piece(at, journal.last)) is not None:
        first, at = at + 1, piece.last
        assert isinstance(piece, Absent) or piece.seq.tolist() == list(range(first, at + 1))
        yield from range(first, at + 1)


@example([("append", [1, 1, 1]), ("trim", 1), ("evict", 0), ("trim", 1)], 0)
@given(moves, st.sampled_from([None, 0, 9]))
def test_a_journal_holds_at_least_what_it_has_and_no_more_than_it_took(story, resident):
    """A segment out of memory counts as a whole until its end; nothing but an `append` makes the journal fuller."""
    journal, held = Journal(None, resident, 4096), {}
    for move, argument in story:
        before = journal.nbytes
        if move == "append":
            batch = writes(journal.last + 1, argument)
            journal.append(batch)
            held |= dict(zip(batch.seq.tolist(), argument, strict=True))
            assert journal.nbytes == before + sum(argument)
        elif move == "trim":
            through = min(journal.last, journal.trimmed + argument)
            journal.trim(through)
            held = {seq: size for seq, size in held.items() if seq > through}
        elif move == "evict":
            journal.evict(max(journal.trimmed, journal.last - argument))
            assert journal.nbytes == before
        else:
            after = max(journal.trimmed, journal.last - argument)
            journal.cut(after)
            held = {seq: size for seq, size in held.items() if seq <= after}
        assert move == "append" or journal.nbytes <= before, "forgetting made it fuller"
        exact = sum(held.values())
        assert journal.nbytes == exact if resident is None else journal.nbytes >= exact
        assert list(pieces(journal)) == sorted(held), "what is held cannot be had"
    journal.trim(journal.last)
    assert journal.nbytes == 0


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 8), st.randoms(use_true_random=False)
)
def test_of_what_left_memory_the_bits_are_those_of_its_writes(counts, left, random):
    """However many writes a batch had, and whether they are told all at once or from a place on."""
    journal, batches = Journal(None, 0, 4096), []
    for count in counts:
        batch = writes(journal.last + 1, [random.choice([1, 4096, 9000]) for _ in range(count)])
        batch.offset[:] = [4096 * random.randrange(64) for _ in range(count)]
        journal.append(batch)
        batches.append(batch)
    left = min(left, len(batches))
    journal.evict(batches[left - 1].last if left else 0)
    beyond = random.randrange(len(batches))
    for begin in (0, beyond):
        wanted, found = Bitmap(4096), Bitmap(4096)
        for batch in batches[begin:]:
            wanted.mark(written(batch))
        if begin:
            journal.mark_beyond(batches[begin - 1].last, found)
        else:
            assert journal.mark_into(found)
            assert not journal.mark_into(found), "nothing was new"
        assert list(found.extents().rows()) == list(wanted.extents().rows())
