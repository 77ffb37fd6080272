from tests.store.databases import postgresql_server, url

__all__ = ["postgresql_server", "url"]
