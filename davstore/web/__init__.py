"""Pages for a browser, on the same store calls and under the same URLs as WebDAV (DECISIONS 7). They change nothing."""
