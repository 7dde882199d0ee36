"""Perl's HTTP::DAV.

Its `get` of a folder wants an absolute path (a relative one it takes from the root of the file system) and a callback:
without one it writes no file whose name has nothing to unescape, and still says that it succeeded. Its `put` takes a
name with a colon, which mail has, for the URL of another server.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.client.devices import read_tree
from tests.clients.conftest import Run
from tests.clients.place import Place
from tests.samples import fill

SESSION = r"""
use strict;
use Cwd;
use HTTP::DAV;
my ($url, $user, $password) = @ARGV;
my $dav = HTTP::DAV->new();
$dav->credentials(-user => $user, -pass => $password, -url => $url);
sub must { my ($did, $what) = @_; die "$what: " . $dav->message . "\n" unless $did; }
must($dav->open(-url => $url), "open");
must($dav->mkcol("a"), "mkcol");
must($dav->put(-local => "folder", -url => "up"), "put");
my $found = $dav->propfind(-url => "up/odd", -depth => 1);
must($found, "propfind");
print map { $_->get_uri->path . "\n" } $found->get_resourcelist->get_resources;
must($dav->lock(-url => "up", -timeout => "10m"), "lock");
must($dav->put(-local => \"under a lock\n", -url => "up/locked.txt"), "put under a lock");
must($dav->unlock(-url => "up"), "unlock");
must($dav->copy("up", "copied"), "copy");
must($dav->move("copied", "moved"), "move");
my @colour = (-namespace => "urn:example", -propname => "colour", -propvalue => "blue");
must($dav->proppatch(-url => "a", @colour), "proppatch");
must($dav->get(-url => "moved", -to => getcwd() . "/back", -callback => sub {}), "get");
must($dav->delete("moved"), "delete");
"""
ODD = ("R&D @ ü+.txt", "it's 'a' ~.txt", "a=1;b,c$.txt")


@pytest.mark.clients
@pytest.mark.peer("libhttp-dav-perl")
def test_http_dav(place: Place, run: Run, tmp_path: Path) -> None:
    """mkcol, put and get of the corpus and odd names, list, lock, put locked, unlock, copy, move, proppatch, delete"""
    fill(tmp_path / "folder")
    for path in sorted((tmp_path / "folder").rglob("*:*"), reverse=True):
        path.rename(path.with_name(path.name.replace(":", ";")))
    (tmp_path / "folder" / "odd").mkdir()
    for name in ODD:
        (tmp_path / "folder" / "odd" / name).write_text(name)
    (tmp_path / "back").mkdir()
    (tmp_path / "session.pl").write_text(SESSION)
    said = run("perl", "session.pl", place.url, place.user, place.password)
    assert {unquote(line) for line in said.splitlines()} == {f"{place.path}up/odd/{name}" for name in ODD}
    sent = {**read_tree(tmp_path / "folder"), "locked.txt": b"under a lock\n"}
    assert read_tree(tmp_path / "back" / "moved") == sent
    assert place.tree() == {"a": None, "up": None, **{f"up/{path}": body for path, body in sent.items()}}
