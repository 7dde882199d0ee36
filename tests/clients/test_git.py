"""git over WebDAV: `git push` to a repository of plain files, which locks its branch, and `git clone` from it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.clients.conftest import Run
from tests.clients.place import Place

ODD = "R+D @ ü.git"
"""No `&`: git keeps of an href what follows its last `&amp;`, and then calls the repository empty."""

SESSION = """
set -ex
git config --global user.name anna
git config --global user.email anna@example.org
git config --global init.defaultBranch main
git init work
cd work
for number in 1 2 3; do
    seq $number 4000 > "file $number.txt"
    git add .
    git commit -m "number $number"
done
git push "$PLACE/$REPOSITORY" main
cd ..
git clone "$PLACE/$REPOSITORY" clone
cd clone
git mv "file 1.txt" renamed.txt
git commit -m renamed
git push origin main
git push origin main:refs/heads/branch
git push --delete origin branch
cd ../work
git pull "$PLACE/$REPOSITORY" main
"""


@pytest.mark.clients
@pytest.mark.peer("git")
def test_git(place: Place, run: Run, tmp_path: Path) -> None:
    """push under a lock to a bare repository with an odd name, clone, push again, push and delete a branch, pull"""
    (tmp_path / ".netrc").write_text(f'machine 127.0.0.1 login {place.user} password "{place.password}"\n')
    bare = tmp_path / "bare.git"
    run("git", "init", "--bare", "--initial-branch=main", str(bare))
    run("git", "-C", str(bare), "update-server-info")
    place.ask("MKCOL", f"{ODD}/")
    for path in sorted(bare.rglob("*")):
        name = f"{ODD}/{path.relative_to(bare)}"
        place.ask(
            *(("MKCOL", f"{name}/") if path.is_dir() else ("PUT", name)),
            data=b"" if path.is_dir() else path.read_bytes(),
        )
    run("bash", "-c", SESSION, environ={"PLACE": place.url.removesuffix("/"), "REPOSITORY": quote(ODD, safe="@&+")})
    work, clone = (
        {file.name: file.read_bytes() for file in (tmp_path / name).glob("*.txt")} for name in ("work", "clone")
    )
    assert set(work) == {"renamed.txt", "file 2.txt", "file 3.txt"}
    assert work == clone
    heads = [name for name in place.tree() if name.startswith(f"{ODD}/refs/heads/")]
    assert heads == [f"{ODD}/refs/heads/main"]
