"""`tocsin`, and `python -m tocsin`."""

from tocsin.interrupted import ends_quietly

__all__ = ["main"]


def main() -> None:
    """The command line. Ctrl-C ends it quietly, also while it is still being imported."""
    with ends_quietly():
        from tocsin.main import app

        app()


if __name__ == "__main__":
    main()
