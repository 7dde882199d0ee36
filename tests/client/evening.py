"""The mail and photographs of an evening, and the view of each device, judged by nothing but the files themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import format_datetime, parsedate_to_datetime
from itertools import count
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import requests

from tests.samples import SAMPLES

DATE = re.compile(rb"^Date:[^\n]*(?:\n[ \t][^\n]*)*", re.MULTILINE)
LARGE = 29
"""The place of the one large mail among those of the autumn."""
PHOTOGRAPHS = {
    "Canon_PowerShot_S40.jpg": 32_764,
    "DSCN0021.jpg": 157_382,
    "Nikon_COOLPIX_P1.jpg": 7_068,
    "Panasonic_DMC-FZ30.jpg": 10_769,
    "fujifilm-dx10.jpg": 133_074,
}
JPEG = b"\xff\xd8\xff"
LISTING = """<D:propfind xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:prop>
    <D:resourcetype/><D:getetag/><C:seen/></D:prop></D:propfind>"""


def date_of(mail: bytes) -> datetime:
    """Return the time that a mail says."""
    return parsedate_to_datetime(message_from_bytes(mail)["Date"])


def fill(corpus: Path, arrived: Path) -> None:
    """Write the files that are there when the evening begins, and those of the mails that arrive later.

    It is one mailing list, a summer and an autumn of it: 24 mails of the autumn in Mail/Inbox, eight of each in
    Mail/Lists, six of the summer and four of the autumn in Archive, numbered by date. All dates are moved by the same
    number of days, in the bytes, so that the newest is of yesterday: the autumn is a fortnight old then, and the summer
    half a year.
    """
    summer, autumn = _read_mails() if SAMPLES.is_dir() else _make_mails()
    days = (datetime.now(UTC).date() - date_of(autumn[-1]).astimezone(UTC).date()).days - 1
    autumn, newest = autumn[:-3], autumn[-3:]
    for folder, first, mails in (
        (corpus / "Mail/Inbox", 1, autumn[1::4]),
        (corpus / "Mail/Lists", 1, [*summer[:8], *autumn[::12]]),
        (corpus / "Archive", 1, [*summer[8:14], *autumn[2::24]]),
        (arrived, 25, newest),
    ):
        folder.mkdir(parents=True)
        for number, mail in zip(count(first), mails, strict=False):
            (folder / f"{number:02}.eml").write_bytes(_moved(mail, days))
    (corpus / "Media").mkdir()
    for name, size in PHOTOGRAPHS.items():
        sample = SAMPLES / "photos" / name
        content = sample.read_bytes() if SAMPLES.is_dir() else JPEG.ljust(size, name[:1].encode())
        (corpus / "Media" / name).write_bytes(content)


def _read_mails() -> tuple[list[bytes], list[bytes]]:
    mails = {path.read_bytes() for path in (SAMPLES / "mail/lkml/cur").iterdir()}
    dated = sorted((date_of(mail), mail) for mail in mails)
    summer, autumn = ([mail for at, mail in dated if (at.year, at.month) == (2010, month)] for month in (6, 11))
    return summer, autumn


def _make_mails() -> tuple[list[bytes], list[bytes]]:
    """Return mails for the samples where there are none: as many, and one large one of the autumn."""

    def make(month: int, number: int) -> bytes:
        date = format_datetime(datetime(2010, month, 14, tzinfo=UTC) + timedelta(hours=number))
        text = "text " * (6000 if (month, number) == (11, LARGE) else 20)
        return f"From: anna@dav.example\nDate: {date}\nSubject: {number}\n\n{text}\n".encode()

    return [make(6, number) for number in range(42)], [make(11, number) for number in range(99)]


def _moved(mail: bytes, days: int) -> bytes:
    date = format_datetime(date_of(mail) + timedelta(days=days))
    return DATE.sub(b"Date: " + date.encode(), mail, count=1)


@dataclass(frozen=True)
class File:
    """A file of the store, as its user sees it."""

    path: str
    content: bytes
    seen: bool

    @property
    def is_message(self) -> bool:
        """Whether it is mail, and no photograph."""
        return not self.content.startswith(JPEG) and bool(message_from_bytes(self.content)["From"])

    @property
    def days(self) -> float:
        """The days since its date."""
        return (datetime.now(UTC) - date_of(self.content)) / timedelta(days=1)

    def but(self, marked: File) -> File:
        """Return this file with the states of another time."""
        return replace(self, seen=marked.seen)


View = Callable[[File], bool]


@dataclass
class Whole:
    """The whole store, as its user lists it with a password."""

    url: str
    credentials: tuple[str, str]
    _contents: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open the connection."""
        self._session = requests.Session()
        self._session.auth = self.credentials

    def send(self, method: str, path: str, body: str, depth: str = "0") -> requests.Response:
        """Send a request of the user."""
        headers = {"Depth": depth, "Content-Type": "application/xml"}
        answer = self._session.request(
            method, requests.compat.urljoin(self.url, path), data=body.encode(), headers=headers, timeout=30
        )
        answer.raise_for_status()
        return answer

    def list(self) -> tuple[set[str], dict[str, File]]:
        """Return the folders, and the files by path."""
        folders, files = set(), {}
        for path, etag, seen in self._each(self.send("PROPFIND", "", LISTING, "infinity")):
            if etag is None:
                folders.add(path)
                continue
            if etag not in self._contents:
                self._contents[etag] = self.send("GET", requests.compat.quote(path), "").content
            files[path] = File(path, self._contents[etag], seen)
        return folders - {""}, files

    def _each(self, answer: requests.Response) -> Iterator[tuple[str, str | None, bool]]:
        top = urlsplit(self.url).path
        for response in ElementTree.fromstring(answer.content).iter("{DAV:}response"):
            path = unquote(response.findtext("{DAV:}href", "")).removeprefix(top).strip("/")
            found = [one for one in response.iter("{DAV:}propstat") if " 200 " in one.findtext("{DAV:}status", "")]
            is_folder = any(one.find(".//{DAV:}collection") is not None for one in found)
            seen = any(one.findtext(".//{urn:davstore:cpm}seen") == "T" for one in found)
            etag = next((one.findtext(".//{DAV:}getetag") for one in found), "")
            yield path, None if is_folder else etag, seen
