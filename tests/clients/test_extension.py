"""A browser extension that keeps its data in the store: Chromium, with fetch of the extension's own origin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.clients.place import Place

MANIFEST = {
    "manifest_version": 3,
    "name": "bookmarks",
    "version": "1",
    "background": {"service_worker": "worker.js"},
    "host_permissions": ["http://127.0.0.1/*"],
}
SESSION = """async ([url, basic]) => {
    const headers = {Authorization: 'Basic ' + basic};
    const ask = (method, name, more = {}) =>
        fetch(url + name, {method, ...more, headers: {...headers, ...more.headers}});
    const said = [];
    said.push((await ask('MKCOL', 'marks/')).status);
    const put = await ask('PUT', 'marks/all.json', {body: '[1]', headers: {'Content-Type': 'application/json'}});
    said.push(put.status);
    const etag = put.headers.get('ETag');
    said.push((await ask('PUT', 'marks/all.json', {body: '[2]', headers: {'If-Match': etag}})).status);
    said.push((await ask('PUT', 'marks/all.json', {body: '[3]', headers: {'If-Match': etag}})).status);
    const list = await ask('PROPFIND', 'marks/', {headers: {Depth: '1'}});
    said.push((await list.text()).includes('all.json'));
    said.push((await ask('MOVE', 'marks/all.json', {headers: {Destination: url + 'marks/moved.json'}})).status);
    const odd = 'marks/' + encodeURIComponent('R&D @ ü #1?.json');
    said.push((await ask('PUT', odd, {body: 'odd'})).status);
    said.push((await ask('DELETE', 'marks/moved.json')).status);
    said.push((await ask('MOVE', odd, {headers: {Destination: url + odd.replace('%231', '2')}})).status);
    said.push(await (await ask('GET', odd.replace('%231', '2'))).text());
    return said;
}"""


@pytest.mark.clients
@pytest.mark.peer("chromium")
def test_extension(place: Place, tmp_path: Path) -> None:
    """an extension's worker: MKCOL, PUT, PUT on a condition, PROPFIND, MOVE, DELETE, GET, odd names"""
    extension = tmp_path / "extension"
    extension.mkdir()
    (extension / "manifest.json").write_text(json.dumps(MANIFEST))
    (extension / "worker.js").write_text("")
    words = ["--headless=new", "--no-sandbox", f"--load-extension={extension}", "--disable-background-networking"]
    words += [f"--disable-extensions-except={extension}", "--disable-features=DisableLoadExtensionCommandLineSwitch"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"), executable_path="/usr/bin/chromium", headless=False, args=words
        )
        worker = browser.service_workers[0] if browser.service_workers else browser.wait_for_event("serviceworker")
        assert worker.url.startswith("chrome-extension://")
        basic = worker.evaluate("([user, password]) => btoa(user + ':' + password)", [place.user, place.password])
        said = worker.evaluate(SESSION, [place.url, basic])
        browser.close()
    assert said == [201, 201, 204, 412, True, 201, 201, 204, 201, "odd"]
    assert place.tree() == {"marks": None, "marks/R&D @ ü 2?.json": b"odd"}
