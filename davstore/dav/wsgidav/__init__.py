"""WsgiDAV's frame: the application that mounts our dispatcher, and a provider with resources of its own.

At run time davstore takes the mounting from WsgiDAV: every request of a client is answered by `dav.dispatch`. The
provider and the resources are a second way into the same store, for WsgiDAV's own dispatcher and for tools that are
written against its interface; `tests/clients/test_stock_wsgidav.py` runs them.
"""
