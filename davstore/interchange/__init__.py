"""Mail and files in the forms of other programs: mbox, Maildir, directories, zip. Nothing of a store is known here."""
