"""``python -m geo_policing`` is ``geo-policing``."""

from geo_policing.cli import main

main()
