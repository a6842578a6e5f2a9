"""`python -m tocsin` is `tocsin`."""

from tocsin.main import app

app()
