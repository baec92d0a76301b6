"""`ratchet dashboard`."""

from pathlib import Path

import click

from ratchet.cli.options import file
from ratchet.cli.registry_options import public_key, tracking_uri


@click.command(epilog="Example: ratchet dashboard --public-key signing.pem.pub --reviewers reviewers.txt")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="Port; 0: a free one.")
@click.option("--root-path", default="", help="What a reverse proxy has before the paths, such as /ratchet.")
@click.option("--reviewers", type=file, help="File of reviewers (NAME KEY a line), to check signatures.")
@tracking_uri
@public_key
def dashboard(
    host: str, port: int, root_path: str, reviewers: Path | None, tracking_uri: str, public_key: tuple[Path, ...]
) -> None:
    """Serve the reviewer's pages: what waits, on which evidence, and who was champion when.

    It only shows: a review is signed and written with `ratchet review`. Without a public key nothing is checked, and
    the pages say so. Whoever reaches the address sees everything: put a login before it.
    """
    if tracking_uri.startswith("sqlite:"):
        import sqlalchemy  # noqa: F401  the extra `dashboard` has MLflow's client, and no database
    from ratchet_dashboard.origin import Origin
    from ratchet_dashboard.serve import serve

    serve(Origin(tracking_uri, public_key, reviewers), host, port, root_path)
