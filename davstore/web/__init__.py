"""Pages for a browser, on the same store calls and under the same URLs as WebDAV. They change nothing."""
