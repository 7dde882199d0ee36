"""Small files in a data directory, beside the database and the blobs, that identify it.

`identity.json` names the database that the directory belongs to, `newest-numbers` how far each store has come. Both are
read when a server starts, to recognise a directory and a database that do not belong together, and one that was put
back.
"""
