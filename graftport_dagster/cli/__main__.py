"""`python -m graftport_dagster.cli`, where the console script is not installed."""

from graftport_dagster.cli import main

if __name__ == "__main__":
    main(prog_name="graftport")
