"""WebDAV over the store: each request becomes one store call, and its value becomes the response."""
