"""Settings: where they come from, and what a wrong one says."""

from dataclasses import fields
from pathlib import Path

import pytest

from davstore.errors import BadSettings
from davstore.model.functions import Function
from davstore.settings import SECTIONS, Settings, load_settings

EXAMPLE = Path(__file__).parents[2] / "config" / "davstore.toml"


def load(tmp_path: Path, text: str, **more: object) -> Settings:
    file = tmp_path / "my.toml"
    file.write_text(text)
    return load_settings(file, environ=more.pop("environ", {}), **more)


def refusal(tmp_path: Path, text: str, **more: object) -> str:
    with pytest.raises(BadSettings) as caught:
        load(tmp_path, text, **more)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_the_defaults_serve_on_loopback(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(EXAMPLE.parents[1])
    settings = load_settings(environ={})
    assert settings == Settings()
    assert settings.server.address == ("127.0.0.1", 8080)
    assert settings.data.path == Path("davstore-data")


def test_the_example_file_names_every_key_with_its_default():
    flags = {"data.path": "davstore-data"}  # in the file they are relative to it
    flags |= {f"{section}.file": f"config/{section}.toml" for section in ("policy", "principals")}
    assert load_settings(EXAMPLE, environ={}, flags=flags) == Settings()
    lines = EXAMPLE.read_text().splitlines()
    for section, kind in SECTIONS.items():
        for key in fields(kind):
            line = next((line for line in lines if line.startswith(f"{key.name} = ")), None)
            assert line, f"{section}.{key.name} is missing"
            assert "#" in line, f"{section}.{key.name} has no reason"


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path):
    text = "[server]\nworkers = 1\nthreads = 3\nbind = '127.0.0.1:1'\n"
    environ = {"DAVSTORE_SERVER__WORKERS": "2", "DAVSTORE_SERVER__THREADS": "4", "DAVSTORE_SAMPLES": "elsewhere"}
    server = load(tmp_path, text, environ=environ, flags={"server.workers": 5, "server.bind": None}).server
    assert (server.workers, server.threads, server.bind, server.idle_timeout_seconds) == (5, 4, "127.0.0.1:1", 60)


@pytest.mark.parametrize(
    ("text", "place", "complaint"),
    [
        ("[server]\nthreads = 3\nworker = 3\n", "my.toml:3: server.worker", "unknown key"),
        ("# a\n[servers]\nworkers = 3\n", "my.toml:2: servers", "unknown section"),
        ("workers = 3\n", "my.toml:1: workers", "must stand in a section"),
        ("[server]\n\nworkers = 'many'\n", "my.toml:3: server.workers", "must be a whole number, not 'many'"),
        ("[server]\nthreads = '8'\n", "my.toml:2: server.threads", "must be a whole number, not '8'"),
        ("[server]\nallow_remote = 'true'\n", "my.toml:2: server.allow_remote", "must be true or false, not 'true'"),
        ("[server]\nworkers = true\n", "my.toml:2: server.workers", "must be a whole number, not True"),
        ("[server]\nworkers = 1.5\n", "my.toml:2: server.workers", "must be a whole number, not 1.5"),
        ("[server]\nallow_remote = 1\n", "my.toml:2: server.allow_remote", "must be true or false, not 1"),
        ("[data]\npath = 3\n", "my.toml:2: data.path", "must be a text, not 3"),
        ("[data]\npath = ''\n", "my.toml:2: data.path", "must be a path"),
        ("[limits]\n[server]\nthreads = 0\n", "my.toml:3: server.threads", "must be at least 1, not 0"),
        ("server.threads = 257\n", "my.toml:1: server.threads", "must be at most 256, not 257"),
        ("\nserver = { threads = 0 }\n", "my.toml:2: server.threads", "must be at least 1, not 0"),
        ("[server]\nbind = '8080'\n", "my.toml:2: server.bind", "must be HOST:PORT, not '8080'"),
        ("[server]\nbind = '127.0.0.1:70000'\n", "my.toml:2: server.bind", "must be HOST:PORT"),
        ("[auth]\nrealm = 'a\"b'\n", "my.toml:2: auth.realm", "printable"),
        ("[server]\ntrusted_proxies = '10.0.0.0/8, proxy'\n", "my.toml:2: server.trusted_proxies", "proxy"),
        ("[server]\ntrusted_proxies = '10.0.0.1/8'\n", "my.toml:2: server.trusted_proxies", "host bits"),
        ("[storage]\nfinder_litter = 'hide'\n", "my.toml:2: storage.finder_litter", "must be keep or drop, not 'hide'"),
        ("[web]\nallowed_origins = '*'\n", "my.toml:2: web.allowed_origins", "not '*'"),
        (
            "[web]\nallowed_origins = 'https://a.example/'\n",
            "my.toml:2: web.allowed_origins",
            "not 'https://a.example/'",
        ),
        (
            "[functions]\nenabled = 'locking, sync'\n",
            "my.toml:2: functions.enabled",
            "there is no function 'sync': it is one of synchronization, locking, pages",
        ),
        ("[functions]\nenabled = ['locking', 1]\n", "my.toml:2: functions.enabled", "must be a text, or a list"),
        ("[auth]\nrealm = ['here']\n", "my.toml:2: auth.realm", "must be a text"),
        ("[policy]\nurl = 'http://policy.example/'\n", "my.toml:2: policy.url", "must begin with https://"),
        ("[policy]\nurl = '/etc/policy.toml'\n", "my.toml:2: policy.url", "must be a URL"),
        ("[policy]\nwhen_away = 'open'\n", "my.toml:2: policy.when_away", "must be keep or refuse, not 'open'"),
        ("[policy]\nrefresh_seconds = 0\n", "my.toml:2: policy.refresh_seconds", "must be at least 1, not 0"),
        ("[policy]\nfile = 'a.toml'\nurl = 'https://a.example'\n", "my.toml:3: policy.url", "policy.file is set too"),
        ("[sync]\nhistory_weeks = 2\n", "my.toml:2: sync.history_weeks", "must be at least 3, not 2"),
        ("[server]\nworkers = \n", "my.toml:2: ", "Invalid value"),
        ("[server", "my.toml:1: ", "Expected"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_key(tmp_path: Path, text: str, place: str, complaint: str):
    message = refusal(tmp_path, text)
    assert message.startswith(place)
    assert complaint in message


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("DAVSTORE_SERVER__WORKERS", "x", "server.workers: must be a whole number"),
        ("DAVSTORE_SERVER__WORKERS", "1_0", "server.workers: must be a whole number"),
        ("DAVSTORE_SERVER__WORKERS", "-1", "server.workers: must be at least 0, not -1"),
        ("DAVSTORE_FUNCTIONS__ENABLED", "all", "functions.enabled: there is no function 'all'"),
        ("DAVSTORE_SERVER__NOTHING", "1", "server.nothing: unknown key"),
        ("DAVSTORE_NOTHING__WORKERS", "1", "nothing.workers: unknown section"),
        ("DAVSTORE_SERVER__ALLOW_REMOTE", "yes", "server.allow_remote: must be true or false"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(tmp_path: Path, variable: str, value: str, complaint: str):
    assert refusal(tmp_path, "", environ={variable: value}).startswith(f"{variable}: {complaint}")


def test_a_wrong_flag_is_refused_by_name(tmp_path: Path):
    assert refusal(tmp_path, "", flags={"server.workers": -1}).startswith(
        "command line: server.workers: must be at least"
    )


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(BadSettings, match="No such file"):
        load_settings(tmp_path / "none.toml", environ={})


@pytest.mark.parametrize("bind", ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "store.example:80"])
def test_an_address_that_others_reach_needs_consent(tmp_path: Path, bind: str):
    text = f"[server]\nbind = '{bind}'\n"
    message = refusal(tmp_path, text)
    assert message.startswith("my.toml:2: server.bind")
    assert "allow_remote" in message
    assert load(tmp_path, f"{text}allow_remote = true\n").server.bind == bind


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "127.9.9.9:80", "[::1]:80", "localhost:80"])
def test_loopback_needs_no_consent(tmp_path: Path, bind: str):
    assert load(tmp_path, f"[server]\nbind = '{bind}'\n").server.bind == bind


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", set(Function)),
        ("[functions]\nenabled = ''\n", set()),
        ("[functions]\nenabled = []\n", set()),
        ("[functions]\nenabled = ['locking', 'pages']\n", {Function.LOCKING, Function.PAGES}),
        ("[functions]\nenabled = 'pages,synchronization,'\n", {Function.SYNCHRONIZATION, Function.PAGES}),
    ],
)
def test_functions_are_all_enabled_or_those_that_are_named(tmp_path: Path, text: str, named: set[Function]):
    assert load(tmp_path, text).functions.named == named


def test_a_password_in_a_wrong_url_is_not_repeated(tmp_path: Path):
    message = refusal(tmp_path, "[database]\nurl = 'mysql://me:hunter2@host/db'\n")
    assert "must be empty or begin with postgresql://" in message
    assert "hunter2" not in message


def test_a_worker_gets_the_same_settings(tmp_path: Path):
    settings = load(tmp_path, "[server]\nallow_remote = true\nbind = '0.0.0.0:1'\n[data]\npath = 'a b'\n")
    assert load_settings(flags=settings.as_values(), environ={}) == settings


def test_paths_of_a_file_are_relative_to_it_and_others_to_where_one_is(tmp_path: Path):
    text = "[data]\npath = 'd'\n[policy]\nfile = 'p.toml'\n"
    settings = load(tmp_path, text)
    assert (settings.data.path, settings.policy.file) == (tmp_path / "d", f"{tmp_path}/p.toml")
    settings = load(tmp_path, text.replace("'d'", f"'{tmp_path}/e'").replace("p.toml", "../q.toml"))
    assert (settings.data.path, settings.policy.file) == (tmp_path / "e", f"{tmp_path}/../q.toml")
    for more in (
        {"flags": {"data.path": "d", "policy.file": "p.toml"}},
        {"environ": {"DAVSTORE_DATA__PATH": "d", "DAVSTORE_POLICY__FILE": "p.toml"}},
    ):
        settings = load(tmp_path, text, **more)
        assert (settings.data.path, settings.policy.file) == (Path("d"), "p.toml")
    assert load(tmp_path, "[policy]\nfile = ''\n").policy.file == ""


def test_a_relative_name_of_the_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "my.toml").write_text("[data]\npath = 'd'\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings(Path("etc/my.toml"), environ={}).data.path == Path("etc/d")
    monkeypatch.chdir(tmp_path / "etc")
    assert load_settings(Path("my.toml"), environ={}).data.path == Path("d")


@pytest.mark.parametrize("section", ["policy", "principals"])
def test_without_a_name_rules_and_groups_are_in_the_file_beside_the_settings_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str
):
    def name_of(settings: Settings) -> str:
        return settings.as_values()[f"{section}.file"]

    monkeypatch.chdir(tmp_path)
    file = f"{section}.toml"
    assert name_of(load(tmp_path, "")) == name_of(load_settings(environ={})) == ""
    (tmp_path / file).touch()
    assert name_of(load(tmp_path, "")) == f"{tmp_path}/{file}"
    assert name_of(load_settings(environ={})) == ""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / file).touch()
    assert name_of(load_settings(environ={})) == f"config/{file}"
    assert name_of(load(tmp_path, "", flags={f"{section}.file": ""})) == ""
    assert name_of(load(tmp_path, f"[{section}]\nfile = 'x/y.toml'\n")) == f"{tmp_path}/x/y.toml"


def test_a_policy_comes_from_a_file_or_from_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The file that is taken where none is named does not count beside a URL; one that is named does."""
    monkeypatch.chdir(EXAMPLE.parents[1])
    (tmp_path / "policy.toml").write_text("")
    url = "https://me:geheim@policy.example/rules.toml"
    for policy in (
        load_settings(environ={"DAVSTORE_POLICY__URL": url}).policy,
        load(tmp_path, f"[policy]\nurl = '{url}'\n").policy,
        load(tmp_path, f"[policy]\nfile = ''\nurl = '{url}'\n").policy,
    ):
        assert (policy.file, policy.url) == ("", url)
    assert load(tmp_path, "[policy]\nurl = ''\n").policy.file == f"{tmp_path}/policy.toml"
    message = refusal(tmp_path, "[policy]\nfile = 'a.toml'\n", environ={"DAVSTORE_POLICY__URL": url})
    assert message == "DAVSTORE_POLICY__URL: policy.url: policy.file is set too; the policy comes from one of them"
    assert "geheim" not in refusal(tmp_path, f"[policy]\nurl = '{url} '\n")
