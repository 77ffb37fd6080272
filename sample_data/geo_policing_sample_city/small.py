"""The files of ``sample_data/small``: the old centre of the city of seed 7, and half an hour of its morning.

``python -m geo_policing_sample_city.small FOLDER`` writes them; the same bytes every time.
"""

import sys
from pathlib import Path

from geo_policing.model import BoundingBox
from geo_policing_sample_city.city import City, build_city
from geo_policing_sample_city.clip import clip_city
from geo_policing_sample_city.simulate import START, live, write_life
from geo_policing_sample_city.write import LAYERS, roads_frame, write_layers

CITY_SEED = 7
#: The first seed of which all receivers speak within the time, between them with all talkers and sentences.
LIFE_SEED, VEHICLES, HOURS = 8, 10, 0.5
#: The old centre, and a bridge to it.
OLD_CENTRE = BoundingBox(113.130, 27.806, 113.165, 27.836)
README = f"""The old centre of an invented city, and what happens there
in the {HOURS * 60:g} minutes from {START.isoformat()} on

Nobody in it is real. Times are UTC unless they carry an offset. A test holds these files to what this writes:
    python -m geo_policing_sample_city.small sample_data/small

old-centre.gpkg  roads and other shapes, EPSG:4326; its roads can be imported:
                 geo-policing import-roads sample_data/small/old-centre.gpkg --layer roads -o old-centre.roads
devices.csv      id,kind,name,call_sign of {VEHICLES} devices of all six kinds
fleet.nmea       what their receivers sent, in the order received; TAG blocks with device and time of receipt
truth.csv        device,edge_id,enter_time: the edges truly driven; an edge entered against its one-way
                 direction has the id of that edge
incidents.csv    calls of the two weeks before the begin, as they stand then
theft.json       one case, six cameras that saw the suspect's vehicle, and cameras near its way that did not
theft_truth.csv  edge_id,enter_time of the suspect
"""


def make_small(city: City, out: Path) -> None:
    """Write the small files into a folder.

    Parameters
    ----------
    city : City
        Of CITY_SEED.
    out : Path
        Made if need be; files of the same names are replaced.
    """
    out.mkdir(parents=True, exist_ok=True)
    centre = clip_city(city, OLD_CENTRE)
    shapes = {layer: getattr(centre, layer) for layer in LAYERS}
    write_layers({"roads": roads_frame(centre.network), **shapes}, out / "old-centre.gpkg")
    write_life(live(centre, LIFE_SEED, VEHICLES, HOURS), centre, out)
    (out / "README.txt").write_text(README, encoding="utf-8")


if __name__ == "__main__":
    make_small(build_city(CITY_SEED), Path(sys.argv[1]))
