"""The Python half of memOS, imported by PL/Python functions inside the server.

The server has no packages to rely on: standard library only, Python 3.11 and later. The modules are
stored in the database (memos_private.python_module) and imported from there, see memos_pl.package.
Nothing here needs a database to be tested: what talks to the server takes `plpy` as an argument.
"""
