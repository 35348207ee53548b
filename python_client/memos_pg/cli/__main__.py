from memos_pg.cli import app

app()
