"""Services of the network: principals of no user, each with its secret."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import bindparam, insert, select, update

from davstore.metadata.principals import add_principal
from davstore.metadata.statements import Statement, Write
from davstore.metadata.tables import SERVICE, principal, service
from davstore.metadata.unit import Unit
from davstore.model.principals import Ability, Service


class _ServiceRow(NamedTuple):
    id: int
    name: str
    key: str
    may: str
    revoked: int

    def service(self) -> Service:
        return Service(self.id, self.name, self.key, Ability(self.may), self.revoked == 1)


class _Rest(NamedTuple):
    secret_sha256: str
    created_us: int


_ROW = (principal.c.id, principal.c.name, service.c.id, service.c.may, service.c.revoked)
_REST = (service.c.secret_sha256, service.c.created_us)
_services = service.join(principal, principal.c.id == service.c.principal_id)
_FIND = Statement(
    select(*_ROW, *_REST).select_from(_services).where(service.c.id == bindparam("key")), _ServiceRow, _Rest
)
_LIST = Statement(
    select(*_ROW, *_REST).select_from(_services).order_by(principal.c.name, service.c.created_us), _ServiceRow, _Rest
)
_ADD = Write(insert(service).values({c.name: bindparam(c.name) for c in service.c}))
_REVOKE = Write(update(service).where(service.c.id == bindparam("key")).values(revoked=1))


class ServiceFacts(NamedTuple):
    """A service with the digest of its secret, and when it was added."""

    asker: Service
    secret_sha256: str
    created_us: int

    @property
    def name(self) -> str:
        """The name that the service signs in with."""
        return self.asker.name

    @property
    def is_refused(self) -> bool:
        """Whether the right secret does not let it in."""
        return self.asker.revoked


def find_service(unit: Unit, key: str) -> ServiceFacts | None:
    """Return the service whose secret has a public part, revoked or not."""
    row = unit.one(_FIND, {"key": key})
    return None if row is None else ServiceFacts(row[0].service(), *row[1])


def list_services(unit: Unit) -> list[ServiceFacts]:
    """Return all services by name, revoked ones too."""
    return [ServiceFacts(found.service(), *rest) for found, rest in unit.all(_LIST, {})]


def add_service(unit: Unit, name: str, key: str, may: Ability, *, secret_sha256: str, now_us: int) -> Service:
    """Write a new service. The caller has checked that the name is free."""
    added = Service(add_principal(unit, SERVICE, name), name, key, may, revoked=False)
    values = {"id": key, "principal_id": added.id, "may": may.value, "secret_sha256": secret_sha256}
    unit.run(_ADD, {**values, "revoked": 0, "created_us": now_us})
    return added


def revoke_service(unit: Unit, key: str) -> None:
    """Refuse a service from now on."""
    unit.run(_REVOKE, {"key": key})
