"""davstore: message and media storage that a person's devices share over WebDAV."""
