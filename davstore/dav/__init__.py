"""WebDAV over the store: requests become one store call each, and what it returns becomes the answer."""
