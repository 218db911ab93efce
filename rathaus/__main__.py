"""`python -m rathaus`: the same as the command `rathaus`."""

from rathaus.cli import app

if __name__ == "__main__":
    app(prog_name="rathaus")
