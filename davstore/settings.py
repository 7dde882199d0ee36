"""The settings of one store: read once at the start, frozen, handed down by wiring.

Flag > `DAVSTORE_SECTION__KEY` > file (TOML) > default. A wrong setting is a `BadSettings` that names its source.
`config/davstore.toml` lists every key with its default and its reason; a test keeps the two in step.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from davstore import toml_lines
from davstore.errors import BadSettings
from davstore.model.functions import Function, parse_functions
from davstore.model.functions import Functions as Named
from davstore.model.limits import RequestLimits, integer
from davstore.model.networks import Networks
from davstore.model.origins import Origins
from davstore.model.web_urls import WebUrl
from davstore.toml_lines import find_line


@dataclass(frozen=True, slots=True)
class Server:
    """Address, processes and the caps of one request. workers 0: one per core."""

    bind: str = "127.0.0.1:8080"
    allow_remote: bool = False
    workers: int = integer(0, 0, 256)
    threads: int = integer(16, 1, 256)
    worker_memory_mib: int = integer(768, 64, 1_048_576)
    shutdown_timeout_seconds: int = integer(30, 0, 3600)
    idle_timeout_seconds: int = integer(60, 1, 3600)
    body_timeout_seconds: int = integer(20, 1, 3600)
    max_connections: int = integer(1_000, 1, 100_000)
    max_header_bytes: int = integer(32_768, 1_024, 1_048_576)
    trusted_proxies: str = ""

    @property
    def proxies(self) -> Networks:
        """The networks of trusted_proxies."""
        return Networks.parse(self.trusted_proxies)

    @property
    def address(self) -> tuple[str, int]:
        """The host, without brackets, and the port of bind."""
        return parse_bind(self.bind)


@dataclass(frozen=True, slots=True)
class Data:
    """The directory of the store's files."""

    path: Path = Path("davstore-data")


@dataclass(frozen=True, slots=True)
class Database:
    """The database of the rows. An empty url is SQLite in the data directory."""

    url: str = ""


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """The storage of bodies. Up to inline_bytes a body is a row, above it is a file; finder_litter is keep or drop."""

    inline_bytes: int = integer(65_536, 0, 16_777_216)
    finder_litter: str = "keep"


@dataclass(frozen=True, slots=True)
class Sync:
    """Sync reports: their pages, what Depth they may have, and how long removals are remembered (the longer rule)."""

    rows_per_page: int = integer(10_000, 1, 1_000_000)
    history_weeks: int = integer(3, 3)
    history_changes: int = integer(10_000, 10_000)
    strict_depth: bool = False


@dataclass(frozen=True, slots=True)
class Auth:
    """Credentials, and the delays of guesses."""

    realm: str = "davstore"
    failures_before_delay: int = integer(10, 1, 1_000)
    delay_seconds: int = integer(30, 1, 86_400)


@dataclass(frozen=True, slots=True)
class Policy:
    """The provider's sync policy, in a file or at a URL. With neither every device may sync whenever it likes.

    when_away: keep the last known rules once the URL has not answered for a while, or refuse devices.
    require_device: a user who signs in with a password, and so has no device, may not list or sync. devices_per_user:
    those that are not revoked.
    """

    file: str = "config/policy.toml"
    url: str = ""
    refresh_seconds: int = integer(60, 1, 86_400)
    when_away: str = "keep"
    require_device: bool = False
    devices_per_user: int = integer(100, 1, 10_000)


@dataclass(frozen=True, slots=True)
class Principals:
    """The groups of users that rules may select. Without a file ('') there are none."""

    file: str = "config/principals.toml"


@dataclass(frozen=True, slots=True)
class Web:
    """Settings for browsers: the origins of other pages that may use the store."""

    allowed_origins: str = ""

    @property
    def origins(self) -> Origins:
        """The origins of allowed_origins."""
        return Origins.parse(self.allowed_origins)


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of the server that are enabled; the others are not told of, and refused."""

    enabled: str = ", ".join(function.value for function in Function)

    @property
    def named(self) -> Named:
        """The functions of enabled."""
        return parse_functions(self.enabled)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, by section."""

    server: Server = field(default_factory=Server)
    data: Data = field(default_factory=Data)
    database: Database = field(default_factory=Database)
    storage: StorageSettings = field(default_factory=StorageSettings)
    sync: Sync = field(default_factory=Sync)
    limits: RequestLimits = field(default_factory=RequestLimits)
    auth: Auth = field(default_factory=Auth)
    policy: Policy = field(default_factory=Policy)
    principals: Principals = field(default_factory=Principals)
    web: Web = field(default_factory=Web)
    functions: Functions = field(default_factory=Functions)

    def as_values(self) -> dict[str, Any]:
        """Return every setting by its name, `section.key`, as `load_settings(flags=…)` takes them."""
        sections = asdict(self)
        values = {f"{section}.{key}": value for section in sections for key, value in sections[section].items()}
        return values | {"data.path": str(self.data.path)}


_LISTS = ("server.trusted_proxies", "web.allowed_origins", "functions.enabled")
_PATHS = ("data.path", "policy.file", "principals.file")
"""Settings that are relative to the file that names them; elsewhere they are relative to the working directory."""

SECTIONS: dict[str, Any] = {section.name: section.default_factory for section in fields(Settings)}


class _Given(NamedTuple):
    """One value, and the source to name when it is wrong: a file with its line, a variable, or the command line."""

    value: object
    source: str
    typed: bool = False
    """TOML has types, so a text there is no number; the environment and the command line have only text."""


def load_settings(
    file: Path | None = None, *, flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read all sources and return the settings. flags maps `section.key` to a value; None there is: not given.

    Raises:
        BadSettings: an unknown key, a wrong type, a value out of range, a file that is not there or not TOML.
    """
    given = _from_file(file) if file else {}
    given |= _from_environ(os.environ if environ is None else environ)
    given |= {name: _Given(value, "command line") for name, value in (flags or {}).items() if value is not None}
    sections: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    for name, (value, source, typed) in given.items():
        section, _, key = name.partition(".")
        checked = _checked(name, value, source, typed=typed)
        sections[section][key] = _beside(file, checked) if file and typed and name in _PATHS else checked
    _settle_policy(sections["policy"], file, given.get("policy.url"))
    sections["principals"].setdefault("file", _find_beside(file, Principals().file))
    settings = Settings(**{section: SECTIONS[section](**values) for section, values in sections.items()})
    _refuse_remote(settings.server, given.get("server.bind"))
    return settings


def _beside(file: Path, value: object) -> object:
    """Return a path in a file as seen from the working directory; '' stays as it is."""
    if not str(value):
        return value
    seen = file.parent / str(value)
    return seen if isinstance(value, Path) else str(seen)


def _settle_policy(policy: dict[str, object], file: Path | None, given: _Given | None) -> None:
    """Set the file where none is named. Raises BadSettings: a file and a URL are, of which one would not count."""
    if not policy.get("url"):
        policy.setdefault("file", _find_policy(file))
    elif policy.setdefault("file", ""):
        source = given.source if given else "default"
        raise BadSettings(f"{source}: policy.url: policy.file is set too; the policy comes from one of them")


def _find_policy(file: Path | None) -> str:
    """Return the policy file when none is named: that beside the settings, if it is there."""
    return _find_beside(file, Policy().file)


def _find_beside(file: Path | None, default: str) -> str:
    """Return a file that is not named: that of the name of the default beside the settings, '' where it is not there.

    Without a file with settings it is the default itself.
    """
    found = file.with_name(Path(default).name) if file else Path(default)
    return str(found) if found.exists() else ""


def parse_bind(text: str) -> tuple[str, int]:
    """Split `HOST:PORT` or `[IPV6]:PORT`. Raises ValueError."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]/\s]+)):([0-9]{1,5})", text, re.ASCII)
    if not match or int(match[3]) > 65_535:
        raise ValueError(f"must be HOST:PORT, not {text!r}")
    return match[1] or match[2], int(match[3])


def _from_file(file: Path) -> dict[str, _Given]:
    try:
        text = toml_lines.decode(file.read_bytes(), str(file))
    except OSError as error:
        raise BadSettings(f"{file}: {error.strerror}") from error
    document = toml_lines.parse(text, str(file))
    given = {}
    for section, keys in document.items():
        source = f"{file}:{find_line(text, section)}"
        if not isinstance(keys, dict):
            raise BadSettings(f"{source}: {section}: must stand in a section, such as [server]")
        if section not in SECTIONS:
            raise BadSettings(f"{source}: {section}: unknown section")
        for key, value in keys.items():
            given[f"{section}.{key}"] = _Given(value, f"{file}:{find_line(text, section, key)}", typed=True)
    return given


def _from_environ(environ: Mapping[str, str]) -> dict[str, _Given]:
    given = {}
    for variable, value in environ.items():
        if variable.startswith("DAVSTORE_") and "__" in variable:
            name = variable.removeprefix("DAVSTORE_").lower().replace("__", ".", 1)
            given[name] = _Given(value, variable)
            if name.partition(".")[0] not in SECTIONS:
                raise BadSettings(f"{variable}: {name}: unknown section")
    return given


def _checked(name: str, value: object, source: str, *, typed: bool) -> object:
    """Return the value as the type of its key."""
    section, _, key = name.partition(".")
    known = {item.name: item for item in fields(SECTIONS[section])}
    if key not in known:
        raise BadSettings(f"{source}: {name}: unknown key")
    try:
        if typed and name in _LISTS and isinstance(value, list):
            value = _joined(value)
        converted = _converted(value, type(known[key].default), typed=typed)
        _check_range(converted, known[key].metadata)
        _check_form(name, converted)
    except ValueError as error:
        raise BadSettings(f"{source}: {name}: {error}") from error
    return converted


def _joined(items: Sequence[object]) -> str:
    """Return a TOML list of texts as the one text that the environment and flags have."""
    if not all(isinstance(item, str) and "," not in item for item in items):
        raise ValueError(f"must be a text, or a list of texts without commas, not {items!r}")
    return ", ".join(map(str, items))


def _converted(value: object, kind: type, *, typed: bool) -> object:
    """Return a typed TOML value as it is, and text (environment, flags) as the type of the key."""
    if not typed and kind is bool and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not typed and kind is int and isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        return int(value)
    if kind not in (bool, int) and isinstance(value, str | Path):
        if "\0" in str(value) or (kind is not str and not str(value)):
            raise ValueError("must be a path")
        return Path(value) if kind is not str else str(value)
    if type(value) is not kind:
        wanted = {bool: "true or false", int: "a whole number"}.get(kind, "a text")
        raise ValueError(f"must be {wanted}, not {value!r}")
    return value


def _check_range(value: object, limits: Mapping[str, Any]) -> None:
    if not isinstance(value, int) or not limits:
        return
    if value < limits["low"]:
        raise ValueError(f"must be at least {limits['low']}, not {value}")
    if limits["high"] is not None and value > limits["high"]:
        raise ValueError(f"must be at most {limits['high']}, not {value}")


def _check_form(name: str, value: object) -> None:
    """Check the form of a value, beyond type and range."""
    text = str(value)
    if name == "server.bind":
        parse_bind(text)
    elif name == "database.url" and text and not text.startswith("postgresql://"):
        # The value may hold a password: it is not repeated.
        raise ValueError("must be empty or begin with postgresql://")
    elif name == "auth.realm" and not re.fullmatch(r"[ !#-\[\]-~]{1,64}", text):
        raise ValueError("must be 1 to 64 printable ASCII characters without quotes and backslashes")
    elif name == "storage.finder_litter" and text not in ("keep", "drop"):
        raise ValueError(f"must be keep or drop, not {text!r}")
    elif name == "policy.when_away" and text not in ("keep", "refuse"):
        raise ValueError(f"must be keep or refuse, not {text!r}")
    elif name == "policy.url" and text:
        WebUrl.parse(text)
    elif name == "server.trusted_proxies":
        Networks.parse(text)
    elif name == "web.allowed_origins":
        Origins.parse(text)
    elif name == "functions.enabled":
        parse_functions(text)


def _refuse_remote(server: Server, given: _Given | None) -> None:
    """Refuse an address that other machines can reach, unless the operator has set allow_remote."""
    host, _ = server.address
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and not server.allow_remote:
        source = given.source if given else "default"
        raise BadSettings(
            f"{source}: server.bind: {server.bind} can be reached from other machines, and"
            " davstore speaks plain HTTP: passwords would cross the network in the clear. Bind to 127.0.0.1 behind a"
            " proxy that does TLS, or set server.allow_remote = true where such a proxy alone can reach this address"
        )
