"""WebDAV: request bodies, the multistatus, hrefs, the If header, tokens (RFC 4918, 5689, 6578, 8144)."""
