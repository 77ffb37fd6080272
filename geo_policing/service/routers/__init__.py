"""The routes, a file a noun; each translates, the work lies below."""
