"""`graftport simulator`: a simulated store, or a simulated shop to move from, to rehearse against.

The simulators are in `simulator/` and share no code with us; here are their command line, and the way
to the embedded one that a migration into `simulator://` uses.
"""

from pathlib import Path

import click
from rich.text import Text

from graftport_dagster.cli.answers import ExitStatus, answer, json_option
from graftport_dagster.cli.inputs import examples
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.store.place import state_folder

_PLATFORMS = ("shopify", "woocommerce", "magento")
_PLANS = ("standard", "advanced", "plus", "enterprise")


@click.command(
    epilog=examples(
        "graftport simulator --port 8500 --state rehearsal.sqlite",
        "graftport simulator --port 8500 --state rehearsal.sqlite --plan plus --faults faults.json",
        "graftport simulator --embedded-url",
        "graftport simulator --platform woocommerce --port 8600 --state shop",
        "graftport simulator --platform magento --port 8700 --seed 7",
    )
)
@click.option("--platform", type=click.Choice(_PLATFORMS), default="shopify", show_default=True,
              help="What is simulated: the store that is moved into, or a shop that is moved from.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), metavar="P", help="The port; 0 takes a free one.")
@click.option("--state", type=click.Path(path_type=Path), metavar="FILE",
              help="What keeps the shop; a new one is made. Of a shop to move from a folder of JSON.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="What a new shop to move from is made from.")
@click.option("--plan", type=click.Choice(_PLANS), default="standard", show_default=True,
              help="The Shopify plan, which decides the points per second.")  # fmt: skip
@click.option("--faults", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="JSON of what is to go wrong, and how often.")  # fmt: skip
@click.option("--latency-ms", type=click.FloatRange(min=0), default=0.0, metavar="N", help="Added to every answer.")
@click.option("--embedded-url", is_flag=True, help="Print where the embedded store of this folder answers, and end.")
@json_option
def simulator(
    *, platform: str, host: str, port: int | None, state: Path | None, seed: int, plan: str, faults: Path | None,
    latency_ms: float, embedded_url: bool, as_json: bool,
) -> int:  # fmt: skip
    """Serve a simulated Shopify store, or another simulated shop, until Ctrl-C.

    The store answers POST /admin/api/<version>/graphql.json with any token, and shows what is in it under
    /_simulator/objects?type=Product. Its state is a file and survives a restart.
    """
    if platform != "shopify":
        return _serve_shop(platform, host, port, state, seed, faults, latency_ms, as_json=as_json)
    # Not at the top: the server's parts take a while to import, and --help needs none of them.
    from graftport_dagster.simulator import SimulatorNotStartedError, ensure, serve

    if embedded_url:
        folder = state_folder() / "simulator"
        if not (folder / "state.sqlite").exists():
            raise ConfigurationError(
                "There is no embedded simulator in this folder.", code="NO_SIMULATOR",
                hint="A run of a migration into simulator:// makes it.",
            )  # fmt: skip
        try:
            _say(ensure(folder), as_json=as_json)
        except SimulatorNotStartedError as error:
            raise ConfigurationError(f"{error}.", code="SIMULATOR") from error
        return ExitStatus.DONE
    if port is None or state is None:
        raise click.UsageError("Give --port and --state.", click.get_current_context())
    try:
        serve(
            host, port, state, plan=plan, faults=faults, latency_ms=latency_ms,
            listening=lambda bound: _say(f"http://{host}:{bound}", as_json=as_json),
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The simulator cannot be served: {error}.", code="SIMULATOR") from error
    return ExitStatus.DONE


def _serve_shop(
    platform: str, host: str, port: int | None, state: Path | None, seed: int, faults: Path | None, latency_ms: float,
    *, as_json: bool,
) -> int:  # fmt: skip
    from graftport_dagster.simulator import magento, woocommerce

    serve = magento.serve if platform == "magento" else woocommerce.serve
    if port is None:
        raise click.UsageError("Give --port.", click.get_current_context())
    try:
        serve(
            host, port, state=state, seed=seed, faults=faults, latency_ms=latency_ms,
            listening=lambda bound: _say(f"http://{host}:{bound}", as_json=as_json),
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The simulator cannot be served: {error}.", code="SIMULATOR") from error
    return ExitStatus.DONE


def _say(url: str, *, as_json: bool) -> None:
    answer({"url": url}, lambda: Text(url), as_json=as_json)
