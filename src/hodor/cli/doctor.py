"""``hodor doctor``."""

import typer

from hodor.cli.app import App
from hodor.doctor import examine
from hodor.weights import DEFAULT

app = App()


@app.command()
def doctor(model: str = typer.Option(DEFAULT, help="Whose step is timed.")) -> None:
    """Say what is installed and how it does, in a form to paste into a report.

    Versions, device, codecs, extras, models and the speed of one step. Nothing is changed.
    """
    failed = False
    for finding in examine(model):
        # Plain lines: they are pasted, and a console would break them.
        typer.echo(f"{finding.about + ':':<11}{finding.found}")
        failed |= finding.found.startswith("failed")
    if failed:
        raise typer.Exit(1)
