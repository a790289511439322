"""Write NMEA 0183 sentences by the library `pynmea2`: [[latitude, longitude, unix s], ...] is in.

Out: for each, its RMC and GGA sentences with their checksums, and the position that the library
itself reads from them again.
"""

import json
import sys
from datetime import UTC, datetime

import pynmea2


def written(latitude: float, longitude: float, unix_s: float) -> list[object]:
    """Give two sentences of a position and a time, and what they say."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    clock = moment.strftime("%H%M%S.%f")[:9]
    ns, ew = "NS"[latitude < 0], "EW"[longitude < 0]
    place = (_angle(latitude, 2), ns, _angle(longitude, 3), ew)
    day = moment.strftime("%d%m%y")
    rmc = pynmea2.RMC("GP", "RMC", (clock, "A", *place, "10.00", "54.7", day, "", "", "A"))
    gga = pynmea2.GGA(
        "GP", "GGA", (clock, *place, "1", "08", "0.9", "15.4", "M", "7.1", "M", "", "")
    )
    read = pynmea2.parse(str(rmc), check=True)
    return [str(rmc), str(gga), read.latitude, read.longitude, read.datetime.timestamp()]


def _angle(degrees: float, width: int) -> str:
    whole, part = divmod(abs(degrees), 1)
    return f"{int(whole):0{width}d}{part * 60:07.4f}"


json.dump([written(*each) for each in json.load(sys.stdin)], sys.stdout)
