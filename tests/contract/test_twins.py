"""A message that is delivered again is recognised, whatever way and in whatever headers it comes, on every database."""

from __future__ import annotations

import itertools

import pytest

from davstore.metadata.uploads import list_reserved
from davstore.model.facets import ORIGINAL
from davstore.model.states import Flag, StateChange
from davstore.store.delivering import Delivery, Fate
from tests.contract.storage import INLINE_BYTES, Storage
from tests.contract.test_dispositions import dispositions, imdn

CPIM = (
    "From: <tel:+1>\r\nTo: <tel:+2>\r\nDateTime: {date}\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {id}\r\n"
    "\r\nContent-Type: {type}\r\n\r\n{text}"
)
BLOCK = (
    "From: <tel:+1>\r\nMessage-Direction: {direction}\r\nIMDN-Message-ID: {id}\r\nContent-Type: message/cpim\r\n\r\n"
)
MAIL = "From: {sender}\r\nTo: b@x\r\nDate: Tue, 24 Nov 2026 {time} +0000\r\n{more}\r\n{text}"


def cpim(
    text: str = "hello", *, id_: str = "m1", direction: str = "", type_: str = "text/plain", day: int = 24
) -> bytes:
    block = BLOCK.format(direction=direction, id=id_) if direction else ""
    return (block + CPIM.format(id=id_, date=f"2026-11-{day}T10:00:00Z", type=type_, text=text)).encode()


def mail(text: str = "hello", more: str = "", *, sender: str = "a@x", time: str = "10:00:00") -> bytes:
    return MAIL.format(sender=sender, time=time, more=more, text=text).encode()


def original(storage: Storage, delivered: Delivery) -> str | None:
    """Return the place of the oldest message of the same identity."""
    assert delivered.path is not None
    listing = storage.listing(delivered.path.key, depth=0, facets={ORIGINAL})
    names = listing.facets.of(ORIGINAL).get(listing.top.node_id)
    return None if names is None else "/".join(names)


OF_MAIL = "Message-ID: <1@x>\r\n"
OF_SMS = "Message-Correlator: hash\r\n"
SAME = {
    "a CPIM, from the network and from a device": (cpim(direction="received"), cpim()),
    "and with another date and recipient": (cpim(), cpim(day=25).replace(b"tel:+2", b"tel:+3")),
    "and with parameters in another form": (
        cpim(type_="text/plain;charset=utf-8"),
        cpim(type_='Text/Plain; charset="utf-8"'),
    ),
    "both sent": (cpim(direction="sent"), cpim(direction="sent", day=25)),
    "a long one": (cpim("x" * 9_000, direction="received"), cpim("x" * 9_000)),
    "a mail over two relays": (
        mail(more=OF_MAIL),
        b"Received: by x; 1 Jan 2026\r\n" + mail(more=OF_MAIL, time="11:00:00"),
    ),
    "a text message within a minute": (mail(more=OF_SMS), mail(more=OF_SMS, time="10:01:00")),
    "and a minute before": (mail(more=OF_SMS), mail(more=OF_SMS + "Subject: x\r\n", time="09:59:00")),
    "equal bytes without any id": (mail(), mail()),
}
OTHERS = {
    "another text": (cpim(), cpim("other"), True),
    "another type": (cpim(), cpim(type_="text/html"), True),
    "a longer text": (cpim("x" * 9_000), cpim("x" * 9_001), True),
    "a long one that differs at its end": (cpim("x" * 9_000 + "1"), cpim("x" * 9_000 + "2"), True),
    "another text of a mail": (mail(more=OF_MAIL), mail("other", more=OF_MAIL), True),
    "the one sent, the other received": (cpim(direction="sent"), cpim(direction="received"), False),
    "another id": (cpim(), cpim(id_="m2"), False),
    "another id of mail": (mail(more=OF_MAIL), mail(more="Message-ID: <2@x>\r\n"), False),
    "a text message more than a minute later": (mail(more=OF_SMS), mail(more=OF_SMS, time="10:01:01"), False),
    "from somebody else": (mail(more=OF_SMS), mail(more=OF_SMS, sender="c@x"), False),
    "other headers without any id": (mail(), mail(more="Subject: x\r\n"), False),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_message_is_there_already(storage: Storage, case: str) -> None:
    for first, second in itertools.permutations(SAME[case]):
        one = storage.deliver(first)
        files = storage.blob_files
        again = [
            storage.deliver(content, name=f"{number}.eml") for number, content in enumerate((second, first, second))
        ]
        assert [(each.fate, each.path, each.resource) for each in again] == [(Fate.KNOWN, one.path, one.resource)] * 3
        assert storage.blob_files == files
        assert storage.database.read(list_reserved) == []
        assert original(storage, one) is None
        assert one.path is not None
        storage.delete(one.path.names[0])


@pytest.mark.parametrize("case", OTHERS)
def test_another_message_is_kept_and_says_whose_identity_it_has(storage: Storage, case: str) -> None:
    first, second, is_duplicate = OTHERS[case]
    one, two = storage.deliver(first), storage.deliver(second)
    assert one.path is not None
    assert (one.fate, two.fate) == (Fate.STORED, Fate.STORED)
    assert original(storage, one) is None
    assert original(storage, two) == (one.path.key if is_duplicate else None)
    assert [storage.deliver(content).path for content in (second, first, second)] == [two.path, one.path, two.path]


def test_one_that_a_device_has_put_is_known_wherever_it_lies(storage: Storage) -> None:
    storage.mkcol("kept")
    storage.put("kept/a.cpim", cpim())
    assert storage.deliver(cpim(direction="received")).path == storage.at("kept/a.cpim")
    storage.move("kept", "moved")
    assert storage.deliver(cpim(direction="received")).path == storage.at("moved/a.cpim")
    assert storage.tree().keys() == {"moved", "moved/a.cpim"}


def test_a_deleted_one_is_no_twin(storage: Storage) -> None:
    first = storage.deliver(cpim())
    assert first.path is not None
    storage.delete(first.path.key)
    assert storage.deliver(cpim(direction="received")).fate is Fate.STORED


def test_states_and_what_was_told_stay_with_the_one_that_is_there(storage: Storage) -> None:
    storage.deliver(imdn("delivered"))
    first = storage.deliver(cpim())
    assert first.path is not None
    place = first.path.key
    storage.mark(place, StateChange(set=int(Flag.SEEN)))
    token = storage.report().token
    storage.deliver(cpim(direction="received"))
    assert storage.report("", token).token == token
    storage.mark(place, StateChange(set=int(Flag.FLAGGED)))
    storage.deliver(imdn("stored", kind="processing"))
    assert storage.listing(place, depth=0).top.flags == Flag.SEEN | Flag.FLAGGED
    assert [status for _, _, status, _ in dispositions(storage, place)] == ["delivered", "stored"]


def test_of_many_of_one_id_each_is_known_again(storage: Storage) -> None:
    first = [storage.deliver(cpim(f"{number:{INLINE_BYTES}}")).path for number in range(25)]
    assert len(set(first)) == 25
    assert [storage.deliver(cpim(f"{number:{INLINE_BYTES}}")).path for number in range(25)] == first


def test_a_copy_says_whose_copy_it_is(storage: Storage) -> None:
    first = storage.deliver(cpim())
    assert first.path is not None
    storage.copy(first.path.key, "copy")
    assert original(storage, Delivery(Fate.STORED, storage.at("copy"))) == first.path.key
    storage.delete(first.path.key)
    assert original(storage, Delivery(Fate.STORED, storage.at("copy"))) is None
