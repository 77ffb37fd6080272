"""``geo-policing decode``: what receivers said, one JSON object a fix."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

if TYPE_CHECKING:
    from geo_policing.ingest.nmea0183 import Decoder

CHUNK = 1 << 16


def decode(
    files: Annotated[list[Path], typer.Argument(help="Logs of receivers; - is standard input.")],
    device: Annotated[str, typer.Option(help="Device of sentences whose TAG block names none.")] = "",
) -> None:
    """Print one JSON object a fix, a line each; what was not understood is counted on standard error."""
    from rich.console import Console
    from rich.progress import open as open_with_bar

    from geo_policing.ingest.nmea0183 import Decoder

    for path in files:
        decoder = Decoder(device)
        if str(path) == "-":
            _print_fixes(decoder, sys.stdin.buffer)
        else:
            # A bar would stand in the way of fixes that are printed to the same screen.
            hidden = sys.stdout.isatty() or not sys.stderr.isatty()
            screen = Console(stderr=True)
            with open_with_bar(
                path, "rb", description="decoding", console=screen, transient=True, disable=hidden
            ) as log:
                _print_fixes(decoder, log)
        counts = decoder.framing
        notes = {
            "broken checksums": counts.bad_checksums,
            "broken TAG blocks": counts.bad_tag_blocks,
            "unreadable sentences": decoder.decoding.unreadable,
            "positions without a date": decoder.decoding.undated,
        }
        said = ", ".join(f"{count} {what}" for what, count in notes.items() if count)
        if said or not counts.sentences:
            print(
                f"{path}: {counts.sentences} sentences, {said or 'is it an NMEA 0183 log?'}", file=sys.stderr
            )


def _print_fixes(decoder: "Decoder", log: BinaryIO) -> None:
    import orjson

    out = sys.stdout.buffer
    while chunk := log.read(CHUNK):
        for fix in decoder.feed(chunk):
            out.write(orjson.dumps(fix.as_json()) + b"\n")
    for fix in decoder.flush():
        out.write(orjson.dumps(fix.as_json()) + b"\n")
    out.flush()
