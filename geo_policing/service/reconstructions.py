"""Reconstructions beside the requests: one at a time, told how far they are, and ended when asked to."""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from h3.api import basic_str as h3

from geo_policing.errors import Conflict, GeoPolicingError, InvalidInput, Unavailable
from geo_policing.model import Sighting, TimeWindow, Watch, geojson_rows, read_rows
from geo_policing.roads import RoadNetwork
from geo_policing.service.tracks import Tracks
from geo_policing.store import Records
from geo_policing.store.reconstructions import KeptReconstruction, WorkState
from geo_policing.tracks import (
    Mixture,
    Mode,
    MovementModel,
    Reconstruction,
    Speeds,
    answer,
    mixed_answer,
    moments,
)
from geo_policing.tracks.closed import read_areas
from geo_policing.tracks.drawn_roads import roads_around
from geo_policing.tracks.evidence import edge_number, edge_place
from geo_policing.tracks.mixture import MODES, UNKNOWN, prior_of, reconstruct_by
from geo_policing.tracks.turns import Turns

log = logging.getLogger(__name__)

#: So many may wait or run; who asks for more is told to come back.
MOST_WAITING = 8
#: What one may hold of each.
MOST_SIGHTINGS = 200
#: Longest window, seconds, and the most moments that are kept of it.
MOST_WINDOW_S, MOST_MOMENTS = 86_400, 1_440
#: Share of the work that is done when the filter has ended and the rest is read out.
READ_OUT = 0.8


class _Cancelled(Exception):
    """Somebody has ended the work."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What was asked, valid."""

    sightings: list[Sighting]
    watches: list[Watch]
    window: TimeWindow | None
    models: list[MovementModel]
    prior: dict[Mode, float] | None
    wanted: answer.Wanted
    seed: int


class Reconstructions:
    """Works on reconstructions in a thread of its own; safe to use from several threads.

    Parameters
    ----------
    records : Records
        Where they are kept.
    tracks : Tracks
        Has the roads.
    speeds : File, optional
        Speeds by road class and hour, of `geo-policing learn-speeds`.
    closed : File, optional
        Areas that nobody walks across but on roads, GeoJSON.

    Raises
    ------
    InvalidFile
        If one of the files cannot be used.
    """

    def __init__(
        self, records: Records, tracks: Tracks, speeds: File | None = None, closed: File | None = None
    ) -> None:
        self._records, self._tracks = records, tracks
        self._speeds = None if speeds is None else Speeds.read(speeds)
        self._speeds_fingerprint = {} if speeds is None else {"speeds": answer.fingerprint(speeds)}
        self._closed = [] if closed is None else read_areas(closed)
        self._closed_fingerprint = {} if closed is None else {"closed": answer.fingerprint(closed)}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="reconstruction")
        self._progress: dict[str, float] = {}
        self._ending: set[str] = set()
        self._changing = threading.Lock()
        records.reconstructions.abandon("the service was stopped; ask for a new one", _now_us())

    def ask(self, given: dict[str, Any], *, case: str, reason: str, account: str) -> KeptReconstruction:
        """Keep a question and begin to work on it when its turn comes.

        Raises
        ------
        InvalidInput
            If it cannot be read: which sighting, field and value, and what to do.
        Unavailable
            If there are no roads, or too many wait.
        """
        question = self._read(given)
        with self._changing:
            # Cancelled ones leave at their turn; they too are bounded.
            waiting = len(self._progress.keys() - self._ending)
            if waiting >= MOST_WAITING or len(self._progress) >= 8 * MOST_WAITING:
                raise Unavailable(
                    f"{MOST_WAITING} reconstructions wait already; try again when one has ended"
                )
            kept = KeptReconstruction(
                *(secrets.token_urlsafe(12), case, reason, account, _now_us(), WorkState.WAITING, given)
            )
            self._records.reconstructions.add(kept)
            self._progress[kept.id] = 0.0
        self._pool.submit(self._work, kept, question)
        return kept

    def progress(self, kept: KeptReconstruction) -> float:
        """Return the share of the work that is done, 0 to 1."""
        return 1.0 if kept.state is WorkState.DONE else self._progress.get(kept.id, 0.0)

    def cancel(self, key: str) -> KeptReconstruction:
        """End the work on one; it stays in the records as cancelled.

        Raises
        ------
        NotFound
            If there is none with this id.
        Conflict
            If it has ended.
        """
        self._records.reconstructions.move(key, WorkState.CANCELLED, ended_us=_now_us())
        with self._changing:
            if key in self._progress:
                self._ending.add(key)
        return self._records.reconstructions.get(key)

    def close(self) -> None:
        """End all work."""
        self._ending.update(list(self._progress))
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, given: dict[str, Any]) -> _Question:
        network = self._tracks.network()
        rows = geojson_rows(given["sightings"])
        if len(rows) > MOST_SIGHTINGS:
            raise InvalidInput(
                f"{len(rows)} sightings and watches; give at most {MOST_SIGHTINGS}",
                field="sightings",
                value=len(rows),
            )
        seen, watched = read_rows(rows, lambda edge: edge_place(network, edge))
        if not seen:
            raise InvalidInput("no sightings; give at least one", field="sightings")
        for name in [*(one.edge for one in seen), *(one.edge for one in watched)]:
            edge_number(network, name)
        window = None if given["window"] is None else TimeWindow.parse(given["window"], field="window")
        if window is not None:
            for one in seen:
                if not (window.start <= one.time and one.last <= window.end):
                    raise InvalidInput(
                        f"the sighting of {one.time.isoformat()} is outside the window {given['window']}; "
                        "leave it out or widen the window",
                        field="window",
                        value=given["window"],
                    )
        first = min(one.time for one in seen) if window is None else window.start
        last = max(one.last for one in seen) if window is None else window.end
        covered_s = (last - first).total_seconds()
        if covered_s > min(MOST_WINDOW_S, MOST_MOMENTS * given["every_s"]):
            raise InvalidInput(
                f"the window is {covered_s:.0f} s long; cover at most {MOST_WINDOW_S} s and {MOST_MOMENTS} "
                "moments: a shorter window, or a larger every_s",
                field="window",
                value=given["window"],
            )
        cameras = None
        if given["cameras"]:
            cameras = {name: _edge(network, edge) for name, edge in given["cameras"].items()}
        wanted = answer.Wanted(given["every_s"], given["paths"], given["resolution"], cameras)
        if given["prior"] is not None and given["mode"] != UNKNOWN:
            raise InvalidInput(
                f"a prior is of no use with mode {given['mode']}; ask with mode unknown, or leave prior out",
                field="prior",
            )
        prior = None if given["prior"] is None else prior_of(given["prior"])
        modes = MODES if given["mode"] == UNKNOWN else (Mode(given["mode"]),)
        # Of others than those whose speeds were learned nothing more is known.
        known = {self._speeds.mode: self._speeds} if self._speeds is not None else {}
        models = [MovementModel.of(mode, known.get(mode.value)).closing(self._closed) for mode in modes]
        return _Question(seen, watched, window, models, prior, wanted, given["seed"])

    def _work(self, kept: KeptReconstruction, question: _Question) -> None:
        records = self._records.reconstructions
        try:
            self._tell(kept.id, 0.0)
            records.move(kept.id, WorkState.RUNNING)
            document = self._answer(kept, question)
            records.move(kept.id, WorkState.DONE, answer=document, ended_us=_now_us())
        except (_Cancelled, Conflict):
            log.info("reconstruction %s was cancelled", kept.id)
        except GeoPolicingError as error:
            self._fail(kept.id, str(error))
        except Exception:
            log.exception("reconstruction %s failed", kept.id)
            self._fail(kept.id, "the service failed; its log says why")
        finally:
            with self._changing:
                self._progress.pop(kept.id, None)
                self._ending.discard(kept.id)

    def _fail(self, key: str, problem: str) -> None:
        try:
            self._records.reconstructions.move(key, WorkState.FAILED, problem=problem, ended_us=_now_us())
        except GeoPolicingError as error:
            log.warning("reconstruction %s: %s (%s)", key, problem, error)

    def _tell(self, key: str, share: float) -> None:
        if key in self._ending:
            raise _Cancelled
        self._progress[key] = share

    def _answer(self, kept: KeptReconstruction, question: _Question) -> dict[str, Any]:
        network = self._tracks.network()
        models = question.models

        def turns_of(model: MovementModel) -> Turns:
            return self._tracks.turns(model.access)

        found = reconstruct_by(
            *(network, question.sightings, models, question.window),
            turns_of=turns_of,
            prior=question.prior,
            watches=question.watches,
            seed=question.seed,
            progress=lambda share: self._tell(kept.id, READ_OUT * share),
        )
        self._tell(kept.id, READ_OUT)
        features = mixed_answer.read_out(
            *(found, models[0], question.wanted),
            turns_of=turns_of,
            seed=question.seed,
            tell=lambda: self._tell(kept.id, READ_OUT),
        )
        self._tell(kept.id, 0.95)
        return {
            "type": "FeatureCollection",
            "case": kept.case_number,
            "reason": kept.reason,
            "window": [found.window.start.isoformat(), found.window.end.isoformat()],
            **mixed_answer.about(found, models[0]),
            "every_s": question.wanted.every_s,
            "resolution": question.wanted.resolution,
            "watches": len(question.watches),
            "roads": network.source,
            "seed": question.seed,
            "inputs": {
                "roads": self._tracks.roads_fingerprint(),
                "question": answer.fingerprint(
                    json.dumps(kept.question, ensure_ascii=False, sort_keys=True).encode(
                        errors="surrogatepass"
                    )
                ),
                "model": answer.model_fingerprint(),
            }
            | (self._speeds_fingerprint if any(model.speeds is not None for model in models) else {})
            | (self._closed_fingerprint if any(model.off_road is not None for model in models) else {}),
            "versions": answer.versions(),
            "ground": roads_around(network, features, models[0].access if len(models) == 1 else None),
            "features": features,
            "occupancies": occupancies(found, question.wanted, lambda: self._tell(kept.id, 0.97)),
        }


def occupancies(
    found: Reconstruction | Mixture, wanted: answer.Wanted, tell: Callable[[], None]
) -> list[dict[str, Any]]:
    """All cells at each moment with their probabilities, which sum to 1."""
    told = []
    for moment in moments.moments_of(found, wanted.every_s):
        tell()
        there = found.occupancy(moment, wanted.resolution)
        told.append(
            {
                "time": moment.isoformat(),
                "cells": [h3.int_to_str(cell) for cell in there.cell.tolist()],
                "probabilities": [float(f"{p:.6g}") for p in there.probability.tolist()],
            }
        )
    return told


def _edge(network: RoadNetwork, name: str) -> int:
    edge = edge_number(network, name)
    if edge is None:
        raise InvalidInput("a camera has no edge; give the id of the edge it looks at", field="cameras")
    return edge


def _now_us() -> int:
    return time.time_ns() // 1_000
