"""Names of XML elements, in Clark notation: `{namespace}local`, or `local` alone in no namespace."""

from __future__ import annotations

from typing import Final

DAV: Final = "DAV:"
CPM: Final = "urn:davstore:cpm"
KEYWORD: Final = "urn:davstore:cpm:keyword"
"""The namespace of keywords, states with names that clients choose."""
XML: Final = "http://www.w3.org/XML/1998/namespace"

MAX_PROPERTY_NAME_BYTES: Final = 255

FIRST_OF_NAME: Final = (
    "A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff"
    "\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
REST_OF_NAME: Final = f"{FIRST_OF_NAME}0-9.\xb7\u0300-\u036f\u203f\u2040-"
"""The characters of a local name, for the brackets of a pattern (XML 1.0 §2.3; Namespaces in XML 1.0 §3: no colon)."""


def clark(namespace: str, local: str) -> str:
    """Return the Clark name; without braces in no namespace, as lxml has it."""
    return f"{{{namespace}}}{local}" if namespace else local


def split(name: str) -> tuple[str, str]:
    """Return namespace and local name of a Clark name."""
    namespace, _, local = name.rpartition("}")
    return namespace[1:], local


def is_ours(name: str) -> bool:
    """Tell whether a name is in one of davstore's own namespaces, where no dead property is."""
    return name.startswith(_OURS)


def is_keyword(name: str) -> bool:
    """Tell whether a name is that of a keyword."""
    return name.startswith(_KEYWORD)


_KEYWORD: Final = clark(KEYWORD, "")
_OURS: Final = (clark(CPM, ""), _KEYWORD)

# Requests
PROPFIND: Final = "{DAV:}propfind"
ALLPROP: Final = "{DAV:}allprop"
PROPNAME: Final = "{DAV:}propname"
INCLUDE: Final = "{DAV:}include"
PROP: Final = "{DAV:}prop"
PROPERTYUPDATE: Final = "{DAV:}propertyupdate"
SET: Final = "{DAV:}set"
REMOVE: Final = "{DAV:}remove"
MKCOL: Final = "{DAV:}mkcol"
SYNC_COLLECTION: Final = "{DAV:}sync-collection"
ACL_PRINCIPAL_PROP_SET: Final = "{DAV:}acl-principal-prop-set"
PRINCIPAL_MATCH: Final = "{DAV:}principal-match"
PRINCIPAL_PROPERTY_SEARCH: Final = "{DAV:}principal-property-search"
PRINCIPAL_SEARCH_PROPERTY_SET: Final = "{DAV:}principal-search-property-set"
EXPAND_PROPERTY: Final = "{DAV:}expand-property"
PROPERTY: Final = "{DAV:}property"
SYNC_LEVEL: Final = "{DAV:}sync-level"
LIMIT: Final = "{DAV:}limit"
NRESULTS: Final = "{DAV:}nresults"
WHERE: Final = "{DAV:}where"
FILTER: Final = "{urn:davstore:cpm}filter"
AT: Final = "{urn:davstore:cpm}at"
DEVICE: Final = "{urn:davstore:cpm}device"
HREF: Final = "{DAV:}href"
EXPLAIN_SYNC: Final = "{urn:davstore:cpm}explain-sync"
EXPLAIN_ACCESS: Final = "{urn:davstore:cpm}explain-access"
METHOD: Final = "{urn:davstore:cpm}method"
RESOLVE: Final = "{urn:davstore:cpm}resolve"
CONVERSATION_ID: Final = "{urn:davstore:cpm}conversation-id"
MAX_AGE: Final = "{urn:davstore:cpm}max-age"
LIST_ONLY: Final = "{urn:davstore:cpm}list-only"
POLICY: Final = "{urn:davstore:cpm}policy"
SYNC_POLICY_APPLIED: Final = "{urn:davstore:cpm}sync-policy-applied"
CONTEXT: Final = "{urn:davstore:cpm}context"
MODE: Final = "{urn:davstore:cpm}mode"
BEARER: Final = "{urn:davstore:cpm}bearer"
MULTIGET: Final = "{urn:davstore:cpm}multiget"
CONVERSATION_HISTORY: Final = "{urn:davstore:cpm}conversation-history"
BEFORE: Final = "{urn:davstore:cpm}before"
CONTENT: Final = "{urn:davstore:cpm}content"
THREAD: Final = "{urn:davstore:cpm}thread"
BULK_UPDATE: Final = "{urn:davstore:cpm}bulk-update"
BULK_DELETE: Final = "{urn:davstore:cpm}bulk-delete"
LOCKINFO: Final = "{DAV:}lockinfo"
LOCKSCOPE: Final = "{DAV:}lockscope"
LOCKTYPE: Final = "{DAV:}locktype"
WRITE: Final = "{DAV:}write"
ACL: Final = "{DAV:}acl"
"""The body of a request, and a property."""

# Properties
CREATIONDATE: Final = "{DAV:}creationdate"
DISPLAYNAME: Final = "{DAV:}displayname"
GETCONTENTLENGTH: Final = "{DAV:}getcontentlength"
GETCONTENTTYPE: Final = "{DAV:}getcontenttype"
GETETAG: Final = "{DAV:}getetag"
GETLASTMODIFIED: Final = "{DAV:}getlastmodified"
LASTMODIFIED: Final = "{DAV:}lastmodified"
RESOURCETYPE: Final = "{DAV:}resourcetype"
LOCKDISCOVERY: Final = "{DAV:}lockdiscovery"
SUPPORTEDLOCK: Final = "{DAV:}supportedlock"
RESOURCE_ID: Final = "{DAV:}resource-id"
SYNC_TOKEN: Final = "{DAV:}sync-token"  # noqa: S105 - the name of an element
QUOTA_AVAILABLE_BYTES: Final = "{DAV:}quota-available-bytes"
QUOTA_USED_BYTES: Final = "{DAV:}quota-used-bytes"
SUPPORTED_REPORT_SET: Final = "{DAV:}supported-report-set"
SUPPORTED_METHOD_SET: Final = "{DAV:}supported-method-set"
SUPPORTED_LIVE_PROPERTY_SET: Final = "{DAV:}supported-live-property-set"
ROOT: Final = "{urn:davstore:cpm}root"
PARTS: Final = "{urn:davstore:cpm}parts"
DUPLICATE_OF: Final = "{urn:davstore:cpm}duplicate-of"
IMDN: Final = "{urn:davstore:cpm}imdn"
DISPOSITION: Final = "{urn:davstore:cpm}disposition"
OUT_OF_VIEW: Final = "{urn:davstore:cpm}out-of-view"
MODSEQ: Final = "{urn:davstore:cpm}modseq"
KEYWORDS: Final = "{urn:davstore:cpm}keywords"
DEVICES: Final = "{urn:davstore:cpm}devices"
CLASS: Final = "{urn:davstore:cpm}class"
SECRET: Final = "{urn:davstore:cpm}secret"  # noqa: S105 - the name of an element
STATE: Final = "{urn:davstore:cpm}state"
FUNCTIONS: Final = "{urn:davstore:cpm}functions"
FUNCTION: Final = "{urn:davstore:cpm}function"
CURRENT_USER_PRINCIPAL: Final = "{DAV:}current-user-principal"
PRINCIPAL_URL: Final = "{DAV:}principal-URL"
PRINCIPAL_COLLECTION_SET: Final = "{DAV:}principal-collection-set"
OWNER: Final = "{DAV:}owner"
CURRENT_USER_PRIVILEGE_SET: Final = "{DAV:}current-user-privilege-set"
SUPPORTED_PRIVILEGE_SET: Final = "{DAV:}supported-privilege-set"
ACL_RESTRICTIONS: Final = "{DAV:}acl-restrictions"
INHERITED_ACL_SET: Final = "{DAV:}inherited-acl-set"
COLLECTION: Final = "{DAV:}collection"
PART_ID: Final = "{urn:davstore:cpm}part-id"
SESSION_HISTORY: Final = "{urn:davstore:cpm}session-history"
CURRENT_GROUP_STATE: Final = "{urn:davstore:cpm}current-group-state"
ADD_MEMBER: Final = "{DAV:}add-member"
PARTICIPANTS: Final = clark(CPM, "participants")
OF_TITLES: Final = tuple(clark(CPM, word) for word in ("date", "from", "subject", "direction"))
"""The facts of a message that a name for people is made of."""
OF_THREADS: Final = tuple(
    clark(CPM, word) for word in ("message-count", "unread-count", "last-activity", "conversation-id")
)
"""The facts of a thread that a list of conversations shows."""
PRINCIPAL: Final = "{DAV:}principal"
GROUP_MEMBER_SET: Final = "{DAV:}group-member-set"
GROUP_MEMBERSHIP: Final = "{DAV:}group-membership"
LIST_KIND: Final = "{urn:davstore:cpm}list-kind"
SYNC_PREFERENCES: Final = "{urn:davstore:cpm}sync-preferences"
EFFECTIVE_SYNC_POLICY: Final = "{urn:davstore:cpm}effective-sync-policy"

# Preconditions and postconditions (RFC 4918 §16 and the RFCs that add to it)
CANNOT_MODIFY_PROTECTED_PROPERTY: Final = "{DAV:}cannot-modify-protected-property"
TREE_WITHIN_LIMITS: Final = clark(CPM, "tree-within-limits")
THREAD_MEMBERSHIP_IS_COMPUTED: Final = clark(CPM, "thread-membership-is-computed")
DEVICE_ENROLLED: Final = clark(CPM, "device-enrolled")
LOCK_TOKEN_SUBMITTED: Final = "{DAV:}lock-token-submitted"  # noqa: S105 - the name of an element
LOCK_TOKEN_MATCHES_REQUEST_URI: Final = "{DAV:}lock-token-matches-request-uri"  # noqa: S105 - as above
NO_CONFLICTING_LOCK: Final = "{DAV:}no-conflicting-lock"
NUMBER_OF_MATCHES_WITHIN_LIMITS: Final = "{DAV:}number-of-matches-within-limits"
VALID_SYNC_PREFERENCES: Final = "{urn:davstore:cpm}valid-sync-preferences"
SYNC_CEILINGS_RESPECTED: Final = "{urn:davstore:cpm}sync-ceilings-respected"
