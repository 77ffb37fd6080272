"""``geo-policing history``: one line a thing, and one line when it cannot be."""

from dataclasses import replace

import numpy as np
import pytest

from geo_policing.cli import main
from geo_policing.errors import Conflict
from geo_policing.model import Device, DeviceKind
from geo_policing.store import FixStore, open_records
from tests.store.moving import walks
from tests.store.test_kept_searches import ANSWER, KEPT, LOOK


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    def run(*words):
        monkeypatch.setattr("sys.argv", ["geo-policing", "history", *words, "--data-dir", str(tmp_path)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out.splitlines(), said.err.splitlines()

    return run


@pytest.fixture
def fixes(tmp_path):
    fixes = walks(np.random.default_rng(1))
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(fixes)
    with open_records(tmp_path) as records:
        for n in range(4):
            records.devices.create(Device(f"d{n}", DeviceKind.OFFICER if n else DeviceKind.BUS))
    return fixes


def test_from_sealing_to_deletion(run, fixes):
    code, out, _ = run("status")
    assert (code, [line.split("\t")[0] for line in out]) == (0, ["2026-03-01", "2026-03-02", "2026-03-03"])
    assert sum(int(line.split("\t")[4]) for line in out) == len(fixes)
    assert len(run("seal")[1]) == 3
    assert run("verify")[:2] == (0, [f"{len(fixes)} fixes of 3 days in 3 parts are as they were sealed"])
    assert run("compact")[:2] == (0, [])
    assert (
        run("hold", "A-7", "--datetime", "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z", "--device", "d1")[0]
        == 0
    )
    assert run("status")[1][-1].split("\t")[:3] == ["hold", "A-7", "d1"]
    code, out, _ = run("expire", "--keep", "officer=1")
    assert code == 0
    assert all("officer; officer=1" in line for line in out)
    assert len(run("deletions")[1]) == len(out) == 3
    assert run("release", "A-7")[1] == ["released 1 holds of case A-7"]
    assert run("verify")[0] == 0


def test_answers_go_in_time_also_beside_a_service_but_for_those_of_a_case_that_holds(run, fixes, tmp_path):
    with open_records(tmp_path) as records:
        for case in ("A1", "B2"):
            records.searches.add(replace(KEPT, id=case, case_number=case), ANSWER, LOOK)
    window = "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"
    assert run("hold", " B2 ", "--datetime", window)[0] == 0  # the spaces are nobody's case
    with FixStore(tmp_path / "fixes.duckdb"):
        code, out, _ = run("expire", "--answers", "30")
    assert (code, out) == (0, ["deleted of case A1: 1 answers of searches (answers=30)"])
    with open_records(tmp_path) as records:
        assert records.searches.answer("B2") == ANSWER
        with pytest.raises(Conflict):
            records.searches.answer("A1")
    (line,) = run("deletions")[1]
    assert line.split("\t")[1:5] == ["A1", "searches", "answers=30", "1"]


def test_damage_is_named_and_ends_with_1(run, fixes, tmp_path):
    run("seal")
    path = next(tmp_path.glob("fixes-sealed/day=2026-03-02/visits/*"))
    path.write_bytes(path.read_bytes()[:-1])
    code, out, _ = run("verify")
    assert (code, len(out)) == (1, 1)
    assert "day 2026-03-02" in out[0]


def test_beside_a_running_service_what_is_sealed_is_shown_and_nothing_is_changed(
    run, fixes, tmp_path, monkeypatch
):
    run("seal")

    def refuse(self, path):
        from geo_policing.errors import Unavailable

        raise Unavailable(f"{path} is open in another process; stop that one, or choose another data folder")

    monkeypatch.setattr(FixStore, "__init__", refuse)
    code, out, err = run("status")
    assert (code, len(out), len(err)) == (0, 3, 1)
    code, out, err = run("compact")
    assert (code, out, len(err)) == (1, [], 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["expire", "--keep", "officer"], "write KIND=DAYS"),
        (["expire", "--keep", "tram=3"], "no kind of device"),
        (["expire"], "no rule; give --keep KIND=DAYS or --answers DAYS"),
        (["expire", "--answers", "0"], "less than a day"),
        (["release", "nobody"], "no hold of case 'nobody'"),
        (["hold", "A", "--datetime", "yesterday"], "is no window"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line(run, fixes, words, said):
    code, out, err = run(*words)
    assert (code, out, len(err)) == (1, [], 1)
    assert said in err[0]


def test_where_there_is_no_history_it_is_said(run):
    code, _, err = run("seal")
    assert code == 1
    assert "there is no history at" in err[0]
