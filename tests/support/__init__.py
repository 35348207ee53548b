"""Helpers shared by the tests: servers and databases, the catalog, TAP output, schema dumps."""
