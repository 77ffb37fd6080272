"""Files of incidents (CSV, GeoJSON, Excel) to incidents: taken whole or not at all, unless told otherwise.

`table` says of what kind a file is; `delimited`, `workbook` and `geojson` turn each kind into a `Table` of
cells with the row numbers that a spreadsheet shows; `columns` finds ours among theirs; `moments`, `times`
and `places` read what needs a time zone or a system of coordinates; `read` puts the incidents together and
says what it refuses.
"""

from geo_policing.ingest.incident_files.columns import FIELDS, parse_mapping
from geo_policing.ingest.incident_files.read import Read, Refused, read_incidents, write_refused

__all__ = ["FIELDS", "Read", "Refused", "parse_mapping", "read_incidents", "write_refused"]
