"""Bring the state's copy of the server's tree up to date, by sync-collection (RFC 6578).

The whole tree is one report of level infinite. A server that does not give that is followed collection by collection
at level 1; so is a branch that an infinite report leaves out. Rows are applied idempotently and in the order they
come: a member may precede its collection, and a URL may come again on a later page.
"""

from __future__ import annotations

from collections.abc import Callable

from davstore.client import tree
from davstore.client.exit_status import NETWORK, USAGE, RootGone, Stop
from davstore.client.identity import holds_threads
from davstore.client.multistatus import Report, Row
from davstore.client.questions import is_narrowed, knows_states
from davstore.client.remote import Failed, RemoteCollection
from davstore.client.state import Scope, State
from davstore.client.states import States
from davstore.client.titles import COMPUTED
from davstore.protocol.dav import names

NO_INFINITE = (400, 403, 405, 409, 415, 422, 501, 507)
"""Statuses after which level 1 is tried. RFC 6578 names none for a server that refuses level infinite."""
NO_ROOM = frozenset({"{DAV:}quota-not-exceeded", "{DAV:}sufficient-disk-space"})
"""Conditions of a 507 that says nothing of the level (RFC 4331 §6): it passes, and level 1 would be kept for good."""

NO_WAY = "the server does not list {} to its end"


class Pull:
    """One update of the whole tree. After `run`, skipped maps the collections that could not be followed to the reason.

    restated are the files whose states are others than before, with the states of now.
    Members of followed collections that could not be taken are in the state, as left out.
    """

    def __init__(self, state: State, remote: RemoteCollection, say: Callable[[str], None]) -> None:
        self._state = state
        self._remote = remote
        self._say = say
        self.skipped: dict[str, str] = {}
        self.restated: dict[str, States] = {}
        self.list_only = False

    def run(self) -> None:
        """Follow every collection. The state has the server's tree exactly as of the tokens it then holds.

        A first run asks what the collection is, as a policy with an interval admits no second report.
        """
        if self._state.find_scope("") is None and holds_threads(self._remote):
            self._state.set_fact(COMPUTED, "")
        done: set[str] = set()
        waiting = [""]
        while waiting:
            path = waiting.pop()
            if path in done or (path and not self._is_folder(path)):
                continue
            done.add(path)
            infinite = self._follow(path)
            separate = self._state.list_scopes() if infinite else self._list_folders(path)
            waiting += [inner for inner in separate if inner not in done]

    def _is_folder(self, path: str) -> bool:
        entry = self._state.remote.get(path)
        return entry is not None and entry.folder

    def _list_folders(self, path: str) -> list[str]:
        return [member for member in self._state.remote.members(path) if self._state.remote.rows[member].folder]

    def _follow(self, path: str) -> bool:
        """Follow one collection to its present state; return whether its whole tree was covered."""
        scope = self._state.find_scope(path) or Scope("", infinite=True, listing=self._state.next_listing())
        fell_back: set[Scope] = set()
        while True:
            try:
                titled = self._state.find_fact(COMPUTED) is not None
                report = self._remote.report(path, scope.token, infinite=scope.infinite, titled=titled)
            except Failed as error:
                if path and error.status == 404:
                    self._state.drop_remote(path)
                    return scope.infinite
                next_scope = self._fall_back(path, scope, error)
                if next_scope is None:
                    return True
                scope = next_scope
                if scope._replace(listing=0) in fell_back:
                    raise Stop(NETWORK, NO_WAY.format(path or "the collection")) from error
                fell_back.add(scope._replace(listing=0))
                continue
            truncated = self._apply(path, scope, report)
            if truncated and (report.token in ("", scope.token)):
                raise Stop(NETWORK, NO_WAY.format(path or "the collection"))
            scope = scope._replace(token=report.token, listing=scope.listing if truncated else 0)
            if not truncated:
                return scope.infinite

    def _fall_back(self, path: str, scope: Scope, error: Failed) -> Scope | None:
        """Return how to go on after a refused report, None when this branch cannot be followed."""
        if "{DAV:}valid-sync-token" in error.conditions and scope.token:
            self._state.refuse(path, scope.token)
            self._say(f"the server asks to list {path or 'everything'} again")
            return Scope("", scope.infinite, self._state.next_listing())
        if scope.infinite and error.status in NO_INFINITE and not error.conditions & NO_ROOM:
            return scope._replace(infinite=False)
        if not path:
            kind = RootGone if error.status == 404 else Stop
            raise kind(
                NETWORK if error.status in (500, 502, 504, 507) else USAGE,
                f"{self._remote.url} cannot be synchronised: {error}",
            )
        self.skipped[path] = str(error)
        return None

    def _apply(self, path: str, scope: Scope, report: Report) -> bool:
        """Apply one page with its token, all or nothing; return whether more is to come."""
        truncated = False
        with self._state.transaction():
            if not scope.token:
                self._state.take_in(path)
            for row in report.rows:
                place = self._remote.path(row.href)
                if place is None:
                    self._leave_out(row.href, row, "no file here can have this name")
                elif place == path:
                    truncated = truncated or row.status == 507
                else:
                    self._apply_row(place, row, scope)
            narrowed, self.list_only = is_narrowed(report.token), self.list_only or report.list_only
            if not truncated and scope.listing:
                self._sweep(path, scope, narrowed=narrowed)
            if not truncated and narrowed and scope.infinite:
                self._notice_own(path)
            if not truncated and not narrowed and not path and knows_states(report.token):
                self._show_all()
            listing = scope.listing if truncated else 0
            self._state.set_scope(path, Scope(report.token, scope.infinite, listing))
        return truncated

    def _leave_out(self, place: str, row: Row, reason: str) -> None:
        """Remember a member that cannot be taken, until the server reports it anew: it does so only after a change."""
        self._state.take_in(place)
        if row.status != 404:
            self._state.leave_out(place, reason)

    def _apply_row(self, place: str, row: Row, scope: Scope) -> None:
        self._state.take_in(place)
        if row.title is not None:
            self._state.titles.put(place, row.title)
        if row.status == 404 and names.OUT_OF_VIEW in row.conditions:
            for path in (place, *self._state.remote.walk(place)):
                self._state.outside.add(path)
            return
        if row.status == 404:
            self._state.drop_remote(place)
            self._state.outside.drop(place)
            return
        if row.status == 403:
            self._put(place, tree.REMOTE_FOLDER, scope)
            if self._state.find_scope(place) is None:
                self._state.set_scope(place, Scope("", infinite=True, listing=self._state.next_listing()))
            return
        if row.status:
            return
        if row.folder:
            self._put(place, tree.REMOTE_FOLDER._replace(resource_id=row.resource_id), scope)
        elif row.etag:
            before = self._state.remote.get(place)
            if before is not None and before.states != row.states:
                self.restated[place] = row.states
            self._state.drop_remote_members(place)
            found = tree.Remote(row.folder, row.etag, row.length, row.resource_id, row.states)
            self._put(place, found, scope)
        else:
            self._leave_out(place, row, "the server gives no entity tag for it")

    def _put(self, place: str, entry: tree.Remote, scope: Scope) -> None:
        above = tree.parent_of(place)
        if above and not self._is_folder(above):
            self._put(above, tree.REMOTE_FOLDER, scope)
        self._state.put_remote(place, entry, seen=scope.listing)
        self._state.outside.show(place)

    def _notice_own(self, top: str) -> None:
        """Note what this device put where it is shown nothing: a report tells all else that changed since the last."""
        inside = f"{top}/" if top else ""
        for path, entry in self._state.remote.rows.items():
            if entry.own and path.startswith(inside):
                self._state.outside.add(path)

    def _show_all(self) -> None:
        """Note that nothing is left out any more. What was, and was not told now, is gone from the server."""
        for path in self._state.outside.paths & self._state.remote.rows.keys():
            self._state.drop_remote(path)
        self._state.outside.clear()

    def _sweep(self, path: str, scope: Scope, *, narrowed: bool) -> None:
        """After a full listing, drop the rows that it lacks, but for branches that are followed by themselves.

        Where a view is narrowed they may be there, and are no deletions.
        """
        inside = f"{path}/" if path else ""
        others = [other for other in self._state.list_scopes() if other != path and other.startswith(inside)]
        implied = self._implied(scope.listing)
        for gone in self._state.list_unseen(scope.listing):
            if not gone.startswith(inside) or gone in implied or (not scope.infinite and tree.parent_of(gone) != path):
                continue
            if any(gone.startswith(f"{other}/") for other in others):
                continue
            if narrowed or self._state.outside.covers(gone):
                self._state.outside.add(gone)
            else:
                self._state.drop_remote(gone)

    def _implied(self, listing: int) -> set[str]:
        """Return the folders above the paths of a listing."""
        found: set[str] = set()
        for path in self._state.list_seen(listing):
            above = tree.parent_of(path)
            while above and above not in found:
                found.add(above)
                above = tree.parent_of(above)
        return found
