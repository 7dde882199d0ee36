"""`davstore import` and `davstore export`: every source, there and back byte for byte, and what does not come along."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import re
import shutil
import signal
import stat
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from davstore import wiring
from davstore.cli import main
from davstore.interchange import sources
from davstore.interchange.items import Outgoing
from davstore.model import paths
from davstore.model.principals import Principal
from davstore.model.states import Flag
from davstore.settings import load_settings
from davstore.store import enrolling, exporting, importing
from tests.contract.conftest import create_database
from tests.samples import fill

Run = Callable[..., Result]
POSTMARK = b"From joe@example.org Thu Jan  1 00:00:00 2026\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs a command on a store with the user `me`; `@` begins a name in the directory of the test."""
    CliRunner().invoke(main, ["init", "--data", str(tmp_path / "data")])

    def call(*words: str, status: int = 0, data: str = "@data") -> Result:
        words = (*words, "--data", data)
        done = CliRunner().invoke(main, [word.replace("@", f"{tmp_path}/") for word in words])
        assert done.exit_code == status, done.output
        return done

    return call


def content(directory: Path, *, folder: str = "") -> dict[str, Outgoing]:
    """Return all that a store holds, by its place."""
    with wiring.open_services(load_settings(flags={"data.path": str(directory)}, environ={})) as services:
        context = services.context(Principal(enrolling.get_user(services.database, "me")))
        path = paths.Path("me", tuple(filter(None, folder.split("/"))))
        found = [one for one in exporting.each_outgoing(context, path) if isinstance(one, Outgoing)]
    return {"/".join((*one.folder, one.name)): one for one in found}


def digests(directory: Path, *, folder: str = "") -> dict[str, str]:
    """Return the digest of each body, by its place."""
    return {place: one.etag for place, one in content(directory, folder=folder).items()}


def sha256(body: bytes) -> str:
    """Return a digest in hex."""
    return hashlib.sha256(body).hexdigest()


def files(top: Path) -> dict[str, str]:
    """Return the digest of each file beneath a directory that is no note of ours."""
    found = (file for file in top.rglob("*") if file.is_file() and not file.name.startswith(".davstore"))
    return {str(file.relative_to(top)): sha256(file.read_bytes()) for file in found}


def make_maildir(top: Path, *messages: str, keywords: str = "") -> None:
    """Make a folder of Maildir, in which each message says its own name."""
    for part in ("cur", "new", "tmp"):
        (top / part).mkdir(parents=True, exist_ok=True)
    for message in messages:
        (top / message).write_bytes(f"Subject: {message}\n\nbody\n".encode())
    if keywords:
        (top / "dovecot-keywords").write_text(keywords)


def test_a_directory_comes_in_and_goes_out_as_it_was(run: Run, tmp_path: Path) -> None:
    """All of the samples, those that are links left out, once with their times; none of their folders is a Maildir."""
    fill(tmp_path / "source")
    for folder in [*(tmp_path / "source").rglob("cur")]:
        folder.rename(folder.with_name("kept"))
    os.utime(next((tmp_path / "source").rglob("*.*")), ns=(0, 1_234_567_891_123_456_000))
    done = run("import", "me", "@source", "--into", "In/Here")
    assert done.output == f"imported {len(files(tmp_path / 'source'))}\n"
    assert digests(tmp_path / "data", folder="In/Here") == files(tmp_path / "source")
    run("export", "me", "@out", "--format", "files")
    assert files(tmp_path / "out" / "In" / "Here") == files(tmp_path / "source")
    times = [
        {file.name: file.stat().st_mtime_ns // 1000 for file in top.rglob("*.*") if file.is_file()}
        for top in (tmp_path / "source", tmp_path / "out" / "In" / "Here")
    ]
    assert times[0] == times[1]
    assert run("import", "me", "@source", "--into", "In/Here").output.startswith("already there ")


def test_a_maildir_comes_in_with_its_folders_flags_and_keywords(run: Run, tmp_path: Path) -> None:
    keywords = "0 work\n1 $Forwarded\n2 $Label1\n"
    top = tmp_path / "Maildir"
    make_maildir(top, "cur/1.a.host:2,FSac", "new/2.b.host", "cur/3.c,S=29:2,RTb", keywords=keywords)
    make_maildir(top / ".Archive.2024", "cur/4.d:2,DS")
    make_maildir(top / ".Entw&APw-rfe", "cur/5.e:2,P")
    make_maildir(top / "nested" / "deeper", "new/6.f:2,S")
    (top / ".Empty").mkdir()
    make_maildir(top / ".Empty")
    for name in ("dovecot.index", "dovecot-uidlist", "maildirfolder", "subscriptions"):
        (top / name).touch()
    (top / "tmp" / "7.half").touch()
    done = run("import", "me", "@Maildir")
    assert done.stdout == "imported 6\n"
    assert set(re.findall(r"[\w.-]+(?=,|\n)", done.stderr)) >= {"dovecot.index", "dovecot-keywords", "subscriptions"}
    found = content(tmp_path / "data")
    assert {place: (Flag(one.flags), one.keywords) for place, one in found.items()} == {
        "1.a.host.eml": (Flag.SEEN | Flag.FLAGGED, ("_x0024_Label1", "work")),
        "2.b.host.eml": (Flag(0), ()),
        "3.c,S=29.eml": (Flag.ANSWERED | Flag.DELETED | Flag.FORWARDED, ()),
        "Archive/2024/4.d.eml": (Flag.DRAFT | Flag.SEEN, ()),
        "Entwürfe/5.e.eml": (Flag.FORWARDED, ()),
        "nested/deeper/6.f.eml": (Flag(0), ()),
    }
    assert found["1.a.host.eml"].modified_us == (top / "cur/1.a.host:2,FSac").stat().st_mtime_ns // 1000
    (top / "cur/1.a.host:2,FSac").rename(top / "cur/1.a.host:2,")  # its name is that before the flags
    assert run("import", "me", "@Maildir").stdout == "already there 6\n"


@pytest.mark.parametrize("form", ["maildir", "mbox"])
def test_mail_comes_back_byte_for_byte_with_all_states(run: Run, tmp_path: Path, form: str) -> None:
    """Out of one store and into another: places, bytes, times to the microsecond, flags and keywords."""
    chance = random.Random(7)
    make_maildir(tmp_path / "source", keywords="0 work\n1 $MDNSent\n2 Größe\n")
    for number in range(200):
        folder = tmp_path / "source" / chance.choice(["", ".a", ".a.b c", ".a.b c.&AC4-x", ".mbox"])
        make_maildir(folder, keywords="0 work\n1 $MDNSent\n2 Größe\n")
        lines = [
            b"From me on\n",
            b"From a Thu Jan  1 00:00:00 2026\n",
            b">From \n",
            b"\n",
            b"\r\n",
            b"Status: R\n",
            b"x",
        ]
        times = 400 if number % 8 == 0 else 1
        body = b"Subject: %d\n\n" % number + b"".join(chance.choices(lines, k=number % 20)) * times
        file = folder / "cur" / f"{number}.M:2,{''.join(sorted(chance.sample('DFPRSTabc', number % 9)))}"
        file.write_bytes(body)
        os.utime(file, ns=(0, chance.randrange(2**60) // 1000 * 1000))
    run("import", "me", "@source")
    run("export", "me", "@out", "--format", form)
    run("init", data="@other")
    assert run("import", "me", "@out", data="@other").stdout == "imported 200\n"
    first, second = content(tmp_path / "data"), content(tmp_path / "other")
    facts = [
        Counter((one.etag, one.modified_us, one.flags, one.keywords, one.name) for one in store.values())
        for store in (first, second)
    ]
    assert facts[0] == facts[1]
    renamed = {place for place in first if place.startswith("mbox/")} if form == "mbox" else set()
    assert {place for place in first if place not in second} == renamed  # a folder `mbox` would be in the way
    assert len({one.flags for one in first.values()}) > 20
    run("check", "--read-data", data="@other")


def test_an_export_that_is_run_again_writes_what_is_new(run: Run, tmp_path: Path) -> None:
    for form in ("maildir", "files"):
        make_maildir(tmp_path / "source", "cur/1.a:2,S", "cur/2.b:2,")
        run("import", "me", "@source")
        run("export", "me", f"@{form}", "--format", form)
        there = {file: file.stat().st_ctime_ns for file in (tmp_path / form).rglob("*") if file.is_file()}
        next(file for file in there if "1.a" in file.name).unlink()
        run("export", "me", f"@{form}", "--format", form)
        again = {file: file.stat().st_ctime_ns for file in (tmp_path / form).rglob("*") if file.is_file()}
        assert set(again) == set(there)
        assert [file.name for file in there if again[file] != there[file]] == [
            file.name for file in there if "1.a" in file.name
        ]
        assert not list((tmp_path / form).rglob("*.davstore-new"))
        modes = {(file.is_dir(), stat.S_IMODE(file.stat().st_mode)) for file in (tmp_path / form, *there)}
        assert modes == {(True, 0o700), (False, 0o600)}


def test_long_names_come_back_from_a_maildir(run: Run, tmp_path: Path) -> None:
    """Those of folders exactly, those of messages in a form that has room for flags and keywords behind it."""
    make_maildir(tmp_path / "source")
    keywords = "".join(f"{number} word{number}\n" for number in range(26))
    for names in (["Ordner ä"] * 20, ["f" * 255], ["ö" * 127, "below"], ["last"]):
        make_maildir(tmp_path.joinpath("source", *names), "cur/" + "ü" * 122 + ":2,FSab", keywords=keywords)
    run("import", "me", "@source")
    source = {"/".join(name.split("/")[:-1]): one for name, one in content(tmp_path / "data").items()}
    assert run("export", "me", "@out", "--format", "maildir").output == "exported 4\n"
    run("init", data="@other")
    run("import", "me", "@out", data="@other")
    found = {"/".join(name.split("/")[:-1]): one for name, one in content(tmp_path / "other").items()}
    assert [(folder, one.etag, one.flags, one.keywords) for folder, one in found.items()] == [
        (folder, one.etag, one.flags, one.keywords) for folder, one in source.items()
    ]


def test_a_folder_where_an_earlier_export_has_a_file_keeps_no_other_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    run("import", "me", "@a")
    run("import", "me", "@a", "--into", "b")
    run("export", "me", "@out")
    (tmp_path / "out" / "b" / "a").unlink()
    (tmp_path / "out" / "b").rmdir()
    (tmp_path / "out" / "b").touch()
    (tmp_path / "out" / "a").unlink()
    done = run("export", "me", "@out", status=1)
    assert (done.stdout, done.stderr) == ("exported 1, refused 1\n", "davstore: b: File exists\n")
    assert (tmp_path / "out" / "a").read_bytes() == b"x"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("form", "link"), [("files", "b"), ("mbox", "b"), ("maildir", ".b"), ("maildir", ".b/tmp")])
def test_a_link_among_the_folders_of_an_export_is_not_followed(run: Run, tmp_path: Path, form: str, link: str) -> None:
    """It ends the export, and the snapshot of the database ends before the database does."""
    (tmp_path / "a.eml").write_bytes(b"Subject: a\n\n")
    run("import", "me", "@a.eml", "--into", "b")
    run("export", "me", "@out", "--format", form)
    (tmp_path / "out" / link).rename(tmp_path / "elsewhere")
    (tmp_path / "out" / link).symlink_to(tmp_path / "elsewhere")
    done = run("export", "me", "@out", "--format", form, status=2)
    gc.collect()
    assert done.stderr == f"davstore: {tmp_path}/out/{link}: a link, which is not followed\n"


def test_flags_that_changed_change_the_name_in_an_exported_maildir(run: Run, tmp_path: Path) -> None:
    make_maildir(tmp_path / "source", "cur/1.a:2,S", "cur/2.b:2,F")
    run("import", "me", "@source")
    run("export", "me", "@out", "--format", "maildir")
    (tmp_path / "out/cur/1.a:2,S").rename(tmp_path / "out/new/1.a")
    (tmp_path / "out/cur/2.b:2,F").rename(tmp_path / "out/cur/2.b:2,")
    run("export", "me", "@out", "--format", "maildir")
    assert set(files(tmp_path / "out")) == {"cur/1.a:2,S", "cur/2.b:2,F"}


def test_into_a_directory_of_others_nothing_is_exported(run: Run, tmp_path: Path) -> None:
    make_maildir(tmp_path / "source", "cur/1.a:2,S")
    run("import", "me", "@source")
    for words, said in (
        (("@source", "--format", "maildir"), "not empty, and no export"),
        (("@data/inside", "--format", "files"), "lies in the data directory"),
        (("@file", "--format", "files"), "file"),
        (("@out", "--format", "mbox"), "another format"),
        (("@out", "--format", "tar"), "tar"),
    ):
        (tmp_path / "file").touch()
        if not (tmp_path / "out").exists():
            run("export", "me", "@out", "--format", "files")
        before = files(tmp_path)
        done = run("export", "me", *words, status=2)
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert {**files(tmp_path)}.keys() - before.keys() <= {"data/newest-numbers"}
    assert "there is no user you" in run("export", "you", "@new", "--format", "files", status=1).stderr


def test_media_are_named_where_a_format_has_no_place_for_them(run: Run, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "a.eml").write_bytes(b"Subject: a\n\n")
    for name in ("photo.jpg", "a.eml"):
        run("import", "me", f"@{name}")
    for form in ("maildir", "mbox"):
        done = run("export", "me", f"@{form}", "--format", form, status=1)
        assert done.stdout == "exported 1, left out 1\n"
        assert done.stderr == "davstore: photo.jpg: no message: --format files has it\n"


def test_links_are_not_followed_and_hidden_files_left_out(run: Run, tmp_path: Path) -> None:
    top = tmp_path / "source"
    (top / "sub").mkdir(parents=True)
    (top / "good").write_bytes(b"x")
    (top / ".hidden").write_bytes(b"x")
    (top / ".git").mkdir()
    (top / "link").symlink_to("/etc/passwd")
    (top / "directory").symlink_to("/etc")
    (top / "loop").symlink_to(".")
    os.mkfifo(top / "pipe")
    (top / os.fsdecode(b"caf\xe9.eml")).write_bytes(b"y")
    done = run("import", "me", "@source", status=1)
    assert done.stdout.replace(", ", "\n").split("\n")[:2] == ["left out 6", "imported 2"]
    assert len(done.stderr.splitlines()) == 6
    [cafe] = (name for name in digests(tmp_path / "data") if name != "good")
    assert re.fullmatch(r"caf� \([0-9a-f]{8}\)\.eml", cafe)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("@nothing", "nothing is there"),
        ("@data", "lies in the data directory"),
        ("@data/davstore.sqlite", "lies in the data directory"),
        ("@bad.zip", "no zip that can be read"),
        ("@bomb.zip", "is not believed"),
        ("/dev/null", "no file and no directory"),
    ],
)
def test_a_source_that_is_none_ends_with_2(run: Run, tmp_path: Path, source: str, said: str) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 and no more")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 20))
    plain = bytearray((tmp_path / "bomb.zip").read_bytes())
    at = plain.rindex(b"PK\x01\x02") + 24  # the length that the directory of the zip tells
    plain[at : at + 4] = (0xF000_0000).to_bytes(4, "little")
    (tmp_path / "bomb.zip").write_bytes(plain)
    done = run("import", "me", source, status=2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert digests(tmp_path / "data") == {}


def test_an_into_that_is_no_folder_ends_with_2_and_an_unknown_user_with_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert "--into" in run("import", "me", "@a", "--into", "x/../y", status=2).stderr
    assert run("import", "you", "@a", status=1).stderr == "davstore: there is no user you\n"


def test_the_data_directory_and_what_cannot_be_read_do_not_come_along(run: Run, tmp_path: Path) -> None:
    """A directory around the store would take in the mail of everybody; one that cannot be read ends no import."""
    (tmp_path / "note").write_bytes(b"x")
    directory = os.open(tmp_path, os.O_RDONLY)
    for _ in range(17):  # until its path is longer than the system takes
        os.mkdir("d" * 250, dir_fd=directory)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(directory)
    done = run("import", "me", "@", status=1)
    assert done.stdout == "left out 2, imported 1\n"
    assert "d: left out: File name too long\n" in done.stderr
    assert f"{tmp_path}/data: left out: the data directory of a store\n" in done.stderr
    assert set(digests(tmp_path / "data")) == {"note"}


@pytest.mark.parametrize("words", [("import", "me", ""), ("export", "me", ""), ("backup", "")])
def test_an_empty_word_is_not_the_working_directory(run: Run, words: tuple[str, ...]) -> None:
    assert "it is empty" in run(*words, status=2).stderr


def test_in_a_maildir_notes_and_links_are_no_mail(run: Run, tmp_path: Path) -> None:
    """Courier keeps keywords in a directory; a file of such a name elsewhere is a person's; lost is an empty `new`."""
    make_maildir(tmp_path / "box", "cur/1.a:2,S")
    (tmp_path / "box" / "new").rmdir()
    (tmp_path / "box" / "courierimapkeywords").mkdir()
    (tmp_path / "box" / "courierimapkeywords" / ":list").touch()
    make_maildir(tmp_path / "box" / "dovecot", "cur/2.b:2,F")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "3.c:2,").touch()
    (tmp_path / "box" / ".Linked" / "new").mkdir(parents=True)
    (tmp_path / "box" / ".Linked" / "cur").symlink_to(tmp_path / "elsewhere")
    done = run("import", "me", "@box", status=1)
    assert done.stdout == "left out 1, imported 2\n"
    assert "courierimapkeywords" in done.stderr
    found = content(tmp_path / "data")
    assert {place: Flag(one.flags) for place, one in found.items()} == {
        "1.a.eml": Flag.SEEN,
        "dovecot/2.b.eml": Flag.FLAGGED,
    }
    (tmp_path / "plain").mkdir()
    for name in ("dovecot.conf", "subscriptions"):
        (tmp_path / "plain" / name).write_bytes(b"x")
    assert run("import", "me", "@plain").output == "imported 2\n"


def test_names_in_a_zip_may_begin_with_a_dot_and_a_slash(run: Run, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("./", "./a.eml", "b/./c.eml"):
            archive.writestr(name, b"" if name.endswith("/") else b"x")
    assert run("import", "me", "@a.zip").output == "imported 2\n"
    assert set(digests(tmp_path / "data")) == {"a.eml", "b/c.eml"}


def test_an_export_that_was_killed_leaves_no_message_in_the_making(run: Run, tmp_path: Path) -> None:
    """Other programs take each file in `cur` for a message."""
    make_maildir(tmp_path / "box", "cur/1.a:2,S")
    run("import", "me", "@box")
    for form, within in (("maildir", "tmp"), ("files", ".")):
        (tmp_path / form).symlink_to(tmp_path / f"of {form}")
        (tmp_path / f"of {form}").mkdir()
        run("export", "me", f"@{form}", "--format", form)
        (tmp_path / form / within / "17.davstore-new").write_bytes(b"a half")
        run("export", "me", f"@{form}", "--format", form)
        assert not list((tmp_path / f"of {form}").rglob("*.davstore-new"))


@pytest.mark.parametrize("form", ["", "maildir", "mbox", "files"])
def test_a_zip_of_mailboxes_is_as_its_directory(run: Run, tmp_path: Path, form: str) -> None:
    """One that other programs wrote, and an export in each form."""
    keywords = "0 work\n2 $Label1\n"
    top = tmp_path / "source" / "Maildir"
    make_maildir(top, "cur/1.a:2,FSac", "new/2.b:2,S", "tmp/3.half", keywords=keywords)
    for name in (".Entw&APw-rfe", ".Archive.2024", "nested/a.b"):
        make_maildir(top / name, "cur/4.c:2,DSa", keywords="0 other\n")
    for name in ("dovecot-uidlist", "maildirfolder"):
        (top / name).touch()
    (tmp_path / "source" / "Takeout").mkdir()
    (tmp_path / "source" / "Takeout" / "mail.mbox").write_bytes(
        POSTMARK + b"Subject: 1\nStatus: RO\n\n" + b"x" * 300_000 + b"\n\n" + POSTMARK + b"Subject: 2\n\nb\n\n"
    )
    (tmp_path / "source" / "Takeout" / "mbox").write_bytes(b"none")
    source = "source"
    if form:
        run("import", "me", "@source", "--into", ".hidden")
        run("export", "me", "@export", "--format", form, status=0 if form == "files" else 1)
        source = "export"
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / source)
    run("init", data="@from directory")
    run("init", data="@from zip")
    told = run("import", "me", f"@{source}", data="@from directory")
    assert run("import", "me", "@packed.zip", data="@from zip").stdout == told.stdout
    found = [content(tmp_path / name) for name in ("from directory", "from zip")]
    facts = [{place: (one.etag, one.flags, one.keywords) for place, one in each.items()} for each in found]
    assert facts[0] == facts[1]
    assert len(facts[0]) == 8 - (form in ("maildir", "mbox"))


def test_a_hostile_zip_leads_nowhere_and_is_named(run: Run, tmp_path: Path) -> None:
    def member(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
        info.external_attr = mode << 16
        return info

    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("../up", "/absolute", "C:/drive", "a/../../up", "..\\up", "a\\..\\..\\up", ".hidden", "x/.y/z"):
            archive.writestr(member(name), b"bad")
        archive.writestr(member("link", 0o120777), b"/etc/passwd")
        archive.writestr(member("encrypted"), b"secret")
        archive.writestr(member("damaged"), b"damaged " * 1000)
        archive.writestr(member("nul0name"), b"bad")
        archive.writestr(member("folder/empty/", 0o40755), b"")
        archive.writestr(member("folder/good.eml"), b"Subject: good\n\n")
        archive.writestr(member("good.jpg"), b"\xff\xd8" * 50_000)
    plain = bytearray((tmp_path / "a.zip").read_bytes().replace(b"nul0name", b"nul\0name"))
    for sign, flags, begin in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        plain[plain.index(b"encrypted", plain.index(sign)) - begin + flags] |= 1 if sign == b"PK\x03\x04" else 0
    at = plain.rindex(b"encrypted") - 46
    plain[at + 8] |= 1
    at = plain.index(b"damaged") + len(b"damaged")
    plain[at + 2] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(plain)
    done = run("import", "me", "@a.zip", status=1)
    assert digests(tmp_path / "data") == {
        "folder/good.eml": sha256(b"Subject: good\n\n"),
        "good.jpg": sha256(b"\xff\xd8" * 50_000),
    }
    assert len(done.stderr.splitlines()) == 12
    assert not (tmp_path.parent / "up").exists()


def test_a_zip_that_lies_about_lengths_is_refused_by_its_members(run: Run, tmp_path: Path) -> None:
    """The directory says less, or more, than there is: the checksum or the end tells."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("less", "more", "true"):
            archive.writestr(name, b"0123456789" * 1000)
    plain = bytearray(made.getvalue())
    for lying, length in ((b"less", 5_000), (b"more", 200_000)):
        at = plain.rindex(lying) - 46 + 24
        plain[at : at + 4] = length.to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(plain)
    run("import", "me", "@a.zip", status=1)
    assert digests(tmp_path / "data") == {"true": sha256(b"0123456789" * 1000)}


def test_an_mbox_that_ends_within_a_message_gives_what_is_whole(run: Run, tmp_path: Path) -> None:
    one = POSTMARK + b"A: b\n\none\n\n"
    (tmp_path / "box").write_bytes(one + one + one[:-4])
    done = run("import", "me", "@box", "--into", "Mail", status=1)
    assert sorted(done.stdout.strip().split(", ")) == ["imported 2", "left out 1"]
    assert done.stderr == f"davstore: {tmp_path}/box: message 3: left out: the file ends within it\n"
    digest = sha256(b"A: b\n\none\n")
    name = digest[:16]
    assert digests(tmp_path / "data") == {f"Mail/{name}.eml": digest, f"Mail/{name}-2.eml": digest}
    assert "already there 2" in run("import", "me", "@box", "--into", "Mail", status=1).stdout


def test_an_mbox_that_ends_within_a_postmark_gives_the_message_before_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(POSTMARK + b"A: b\n\none\n\n" + POSTMARK[:-9])
    done = run("import", "me", "@box", status=1)
    assert sorted(done.stdout.strip().split(", ")) == ["imported 1", "left out 1"]
    assert done.stderr == (
        f"davstore: {tmp_path}/box: message 2: left out: the file ends within its postmark: {POSTMARK[:-9].decode()}\n"
    )
    digest = sha256(b"A: b\n\none\n")
    assert digests(tmp_path / "data") == {f"{digest[:16]}.eml": digest}


def test_one_file_and_an_empty_mbox_and_an_mbox_among_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(POSTMARK + b"A: b\n\n")
    (tmp_path / "empty.mbox").touch()
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "old.mbox").write_bytes(POSTMARK + b"A: b\n\n")
    (tmp_path / "tree" / "sub" / "mbox").write_bytes(POSTMARK + b"C: d\n\n")
    (tmp_path / "tree" / "sub" / "not.mbox").write_bytes(b"no mbox")
    (tmp_path / "tree" / "Entw&APw-rfe").write_bytes(POSTMARK + b"E: f\n\n" + POSTMARK + b"G: h\n\n")
    (tmp_path / "tree" / "empty").touch()
    (tmp_path / "tree" / "LICENSE").write_bytes(b"From now on\n")
    (tmp_path / "tree" / ".imap" / "Sent").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "with.eml").write_bytes(POSTMARK + b"A: b\n\n")
    run("import", "me", "@one.eml")
    assert run("import", "me", "@empty.mbox").stdout == "nothing to do\n"
    run("import", "me", "@tree")
    assert Counter(digests(tmp_path / "data").items()) == Counter(
        {
            "one.eml": sha256(POSTMARK + b"A: b\n\n"),
            "sub/with.eml": sha256(POSTMARK + b"A: b\n\n"),
            "sub/not.mbox": sha256(b"no mbox"),
            "empty": sha256(b""),
            "LICENSE": sha256(b"From now on\n"),
            f"Entwürfe/{sha256(b'E: f' + chr(10).encode())[:16]}.eml": sha256(b"E: f\n"),
            f"Entwürfe/{sha256(b'G: h' + chr(10).encode())[:16]}.eml": sha256(b"G: h\n"),
            f"sub/{sha256(b'C: d' + chr(10).encode())[:16]}.eml": sha256(b"C: d\n"),
            f"sub/old/{sha256(b'A: b' + chr(10).encode())[:16]}.eml": sha256(b"A: b\n"),
        }.items()
    )


def test_a_name_that_another_has_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"one")
    run("import", "me", "@a.eml")
    (tmp_path / "a.eml").write_bytes(b"two")
    done = run("import", "me", "@a.eml")
    assert done.stdout == "imported 1\n"
    assert f"it is a ({sha256(b'two')[:8]}).eml now" in done.stderr


def test_over_the_quota_ends_with_1_and_names_the_rest(run: Run, tmp_path: Path) -> None:
    make_maildir(tmp_path / "source", *(f"cur/{number}.a:2," for number in range(10)))
    run("user", "quota", "me", "100")
    done = run("import", "me", "@source", status=1)
    assert done.stdout == "imported 3, refused 7\n"
    assert done.stderr.count("refused") == 7
    run("user", "quota", "me", "none")
    assert run("import", "me", "@source").stdout == "already there 3, imported 7\n"


def _die_at(step: int, directory: Path) -> None:
    """Import `box` in a process that is killed before its step-th step on the disk."""
    process = os.fork()
    if process == 0:
        steps = 0

        def count(event: str, _words: tuple[Any, ...]) -> None:
            nonlocal steps
            if event in ("open", "os.rename"):
                steps += 1
                if steps == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            with wiring.open_services(
                load_settings(flags={"data.path": str(directory / "data")}, environ={})
            ) as services:
                context = services.context(Principal(enrolling.get_user(services.database, "me")))
                sys.addaudithook(count)
                entries = sources.each_entry(directory / "box", directory / "data")
                for _ in importing.import_entries(context, paths.Path("me"), entries):
                    pass
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


def test_a_kill_in_the_middle_leaves_no_double_and_loses_nothing(run: Run, tmp_path: Path) -> None:
    """Killed at several moments, among them those between the file of a large body and its row."""
    messages = [b"Subject: %d\n\n" % number + b"x" * (70_000 if number % 40 == 0 else 10) for number in range(600)]
    (tmp_path / "box").write_bytes(b"".join(POSTMARK + one + b"\n\n" for one in messages))
    counts = [0]
    for step in (2, 12, 13, 14, 15, 16, 22):
        _die_at(step, tmp_path)
        counts.append(len(digests(tmp_path / "data")))
    assert counts == sorted(counts)
    assert 0 < counts[-1] < 600, counts
    run("import", "me", "@box")
    assert Counter(digests(tmp_path / "data").values()) == Counter(sha256(one + b"\n") for one in messages)
    assert "\n0 findings, " in "\n" + run("check", "--read-data").output


def test_postgresql(run: Run, tmp_path: Path, postgresql_server: str) -> None:
    (tmp_path / "davstore.toml").write_text(f'[database]\nurl = "{create_database(postgresql_server)}"\n')
    make_maildir(tmp_path / "source", "cur/1.a:2,FSa", "new/2.b", keywords="0 work\n")
    there = ("-c", "@davstore.toml")
    run("init", *there, data="@pg")
    assert run("import", "me", "@source", *there, data="@pg").stdout == "imported 2\n"
    run("export", "me", "@out", "--format", "maildir", *there, data="@pg")
    assert {"cur/1.a:2,FSa", "cur/2.b:2,"} < set(files(tmp_path / "out"))


def test_the_note_of_an_export_tells_what_it_is_of(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    run("import", "me", "@a")
    (tmp_path / "out" / "a").mkdir(parents=True)
    run("export", "me", "@new", "--format", "files")
    (tmp_path / "new" / ".davstore-export").rename(tmp_path / "out" / ".davstore-export")
    assert (
        "a: an earlier export has a folder there" in run("export", "me", "@out", "--format", "files", status=1).stderr
    )
    note = json.loads((tmp_path / "out" / ".davstore-export").read_bytes())
    assert (note["format"], note["owner"]) == ("files", "me")
    run("init", data="@other")  # has another user of the same name
    assert (
        "an export of something else"
        in run("export", "me", "@out", "--format", "files", status=2, data="@other").stderr
    )
