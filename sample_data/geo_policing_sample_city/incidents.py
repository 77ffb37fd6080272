"""Calls to 110 as they would come in: what kind, at what hour, in what places, and how far they have got."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
import shapely
from scipy.spatial import KDTree

from geo_policing.model import Incident, IncidentState, Severity
from geo_policing.roads.network import Access
from geo_policing_sample_city.city import City
from geo_policing_sample_city.people import Purpose, Town
from geo_policing_sample_city.ways import Floats, Ways

CHINA = timezone(timedelta(hours=8))
DAYS = 14
#: Calls a day, on the mean.
A_DAY = 75.0
#: Of each kind at any hour, beside its peaks.
LEVEL = 0.04
#: Calls at hand are not older than this.
AT_HAND_MIN = 100.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call.

    Parameters
    ----------
    share : float
        Of all calls; together 1.
    places : tuple of str
        Where: home, shop, street, junction, bar, school, hospital.
    hours : tuple of (hour, width, height)
        Peaks over LEVEL.
    severity : tuple of float
        Chances of the grades 1 to 4.
    summaries : tuple of str
        What the caller says; {n} is a number.
    """

    share: float
    places: tuple[str, ...]
    hours: tuple[tuple[float, float, float], ...]
    severity: tuple[float, float, float, float]
    summaries: tuple[str, ...]


_EVENING = ((20.0, 3.0, 1.0),)
_NIGHT = ((23.5, 2.2, 1.0),)
_RUSH = ((8.0, 1.2, 1.0), (13.0, 4.0, 0.3), (18.0, 1.6, 1.0))
_DAY = ((11.0, 2.5, 0.8), (16.0, 2.5, 1.0))
_NOON = ((12.2, 1.0, 1.0), (16.8, 0.8, 0.8))


KINDS = {
    "theft": Kind(
        0.16,
        ("shop", "shop", "street", "hospital"),
        ((12.0, 2.5, 0.7), (18.5, 2.5, 1.0)),
        (0.0, 0.25, 0.6, 0.15),
        ("报警人停放在路边的电动车被盗，价值约{n}00元", "商场内手机被扒窃", "店内商品被盗，监控拍到嫌疑人"),
    ),
    "burglary": Kind(
        0.05,
        ("home",),
        ((2.5, 2.0, 1.0), (14.5, 2.5, 0.6)),
        (0.05, 0.65, 0.3, 0.0),
        ("家中被撬门入室，现金首饰被盗", "住户回家发现窗户被撬，损失约{n}000元"),
    ),
    "fight": Kind(
        0.08,
        ("bar", "bar", "bar", "street", "school"),
        (*_NIGHT, (12.4, 0.8, 0.15)),
        (0.08, 0.6, 0.3, 0.02),
        ("夜宵摊多人打架，有人受伤", "酒吧门口两伙人发生冲突", "因琐事发生肢体冲突，一人面部受伤"),
    ),
    "traffic_accident": Kind(
        0.19,
        ("junction", "junction", "junction", "street"),
        _RUSH,
        (0.04, 0.3, 0.5, 0.16),
        (
            "两车追尾，无人受伤，影响通行",
            "电动车与小车相撞，一人受伤",
            "路口左转车与直行车相撞，占用一条车道",
        ),
    ),
    "noise": Kind(
        0.1,
        ("home", "home", "bar"),
        ((22.5, 2.0, 1.0), (7.0, 1.0, 0.2)),
        (0.0, 0.0, 0.25, 0.75),
        ("楼下广场舞音响扰民", "隔壁深夜装修，噪声扰民", "KTV音响声音过大"),
    ),
    "fraud": Kind(
        0.09,
        ("home", "shop"),
        _DAY,
        (0.02, 0.3, 0.6, 0.08),
        ("冒充客服退款被骗{n}000元", "刷单返利被骗{n}0000元", "网络交友投资被骗"),
    ),
    "missing_person": Kind(
        0.03,
        ("home", "school", "hospital"),
        ((17.5, 2.5, 1.0),),
        (0.2, 0.6, 0.2, 0.0),
        ("七旬老人外出未归，患有认知障碍", "放学后孩子未到家", "走失儿童，约{n}岁，身穿红色外套"),
    ),
    "domestic_dispute": Kind(
        0.09,
        ("home",),
        _EVENING,
        (0.03, 0.32, 0.5, 0.15),
        ("夫妻争吵，邻居报警", "家庭纠纷，有人动手", "房东与租客因押金发生纠纷"),
    ),
    "rescue": Kind(
        0.05,
        ("home", "street"),
        ((9.0, 3.0, 0.6), (18.5, 3.0, 1.0)),
        (0.5, 0.4, 0.1, 0.0),
        ("居民楼冒烟，疑似厨房起火", "老人在家摔倒无法开门", "有人被困电梯，共{n}人"),
    ),
    "drunk": Kind(
        0.05,
        ("bar", "bar", "street"),
        ((0.3, 2.0, 1.0),),
        (0.0, 0.15, 0.6, 0.25),
        ("醉酒男子倒卧路边", "醉酒者在店内闹事，拒不离开"),
    ),
    "lost_property": Kind(
        0.06,
        ("street", "shop", "hospital"),
        _DAY,
        (0.0, 0.0, 0.1, 0.9),
        ("乘坐出租车遗落手机", "拾到钱包一个，内有证件", "公交车上遗失背包"),
    ),
    "school_order": Kind(
        0.02,
        ("school",),
        _NOON,
        (0.0, 0.15, 0.5, 0.35),
        ("校门口接送车辆拥堵，家长发生口角", "校门口有可疑人员徘徊"),
    ),
    "suspicious_person": Kind(
        0.03,
        ("home", "shop"),
        ((1.0, 3.0, 1.0),),
        (0.0, 0.3, 0.55, 0.15),
        ("有人在车库逐个拉车门", "可疑男子在楼道徘徊约{n}小时"),
    ),
}

_S = IncidentState
#: How far a call has got: from so many minutes of age on.
_PROGRESS = (
    (0.0, _S.REPORTED),
    (3.0, _S.ACCEPTED),
    (6.0, _S.DISPATCHED),
    (11.0, _S.EN_ROUTE),
    (22.0, _S.ON_SCENE),
    (65.0, _S.CLEARED),
    (120.0, _S.CLOSED),
)


class Addresses:
    """Addresses as people say them: district, road, number.

    Parameters
    ----------
    city : City
        The city.
    ways : Ways
        Its ways.
    """

    def __init__(self, city: City, ways: Ways) -> None:
        network = ways.network
        named = np.flatnonzero(network.name > 0)
        x, y = (part[named] for part in ways.middle)
        self._tree = KDTree(np.column_stack([x, y]))
        self._named = named
        self._network = network
        self._districts = list(zip(city.districts["name"], city.districts.geometry, strict=True))
        south, west = network.node_y.min(), network.node_x.min()
        self._number = ((x - west) + (y - south)) / 12.0

    def at(self, x: float, y: float) -> str:
        """Return the address of a point of the plane."""
        far_m, i = self._tree.query((x, y))
        road = self._network.name_of(int(self._named[i]))
        number = int(self._number[i]) % 900 + 1
        lon, lat = self._network.plane.inverse(x, y)
        point = shapely.Point(lon[0], lat[0])
        # A few calls come from just outside the city.
        district = min(self._districts, key=lambda one: float(one[1].distance(point)))[0]
        return f"{district}{road}{number}号{'附近' if far_m > 120.0 else ''}"


def make_incidents(
    city: City, town: Town, addresses: Addresses, until: datetime, rng: np.random.Generator
) -> list[Incident]:
    """Invent the calls of the DAYS before an instant, as they stand at that instant, the oldest first.

    Parameters
    ----------
    city, town, addresses
        What there is where, and how it is called.
    until : datetime
        With its offset.
    rng : Generator
        Of the incidents.
    """
    names = list(KINDS)
    quarter_hours = np.arange(0.0, 24.0, 0.25)
    usual = {name: np.mean([_at_hour(kind, hour) for hour in quarter_hours]) for name, kind in KINDS.items()}

    def weights(hour: float) -> Floats:
        return np.array([kind.share / usual[name] * _at_hour(kind, hour) for name, kind in KINDS.items()])

    most = max(weights(hour).sum() for hour in quarter_hours)
    age_min = rng.uniform(0.0, DAYS * 24 * 60, rng.poisson(DAYS * A_DAY * most))
    # Whatever the hour, a control room always has a few calls at hand.
    age_min = np.concatenate([age_min, rng.uniform(0.2, AT_HAND_MIN, 9)])
    incidents = []
    for age in np.sort(age_min)[::-1].tolist():
        occurred = until - timedelta(minutes=age)
        local = occurred.astimezone(CHINA)
        weight = weights(local.hour + local.minute / 60.0)
        if age > AT_HAND_MIN and rng.random() > weight.sum() / most:
            continue
        name = names[int(rng.choice(len(names), p=weight / weight.sum()))]
        incidents.append((occurred, name, age))
    number: dict[str, int] = {}
    return [
        _incident(name, occurred, age, city, town, addresses, number, rng)
        for occurred, name, age in incidents
    ]


def _at_hour(kind: Kind, hour: float) -> float:
    away = [(abs((hour - at + 12.0) % 24.0 - 12.0), wide, high) for at, wide, high in kind.hours]
    return LEVEL + sum(high * float(np.exp(-((d / wide) ** 2))) for d, wide, high in away)


def _incident(
    name: str,
    occurred: datetime,
    age_min: float,
    city: City,
    town: Town,
    addresses: Addresses,
    number: dict[str, int],
    rng: np.random.Generator,
) -> Incident:
    kind = KINDS[name]
    x, y = _where(kind.places[int(rng.integers(len(kind.places)))], town, rng)
    lon, lat = city.network.plane.inverse(x, y)
    day = occurred.astimezone(CHINA).strftime("%Y%m%d")
    number[day] = number.get(day, 0) + 1
    summary = kind.summaries[int(rng.integers(len(kind.summaries)))].format(n=int(rng.integers(1, 10)))
    return Incident(
        id=f"J{day}{number[day]:04d}",
        kind=name,
        occurred=occurred.replace(microsecond=0),
        lon=round(float(lon[0]), 6),
        lat=round(float(lat[0]), 6),
        state=_state(age_min, rng),
        severity=Severity(1 + int(rng.choice(4, p=kind.severity))),
        summary=summary,
        address=addresses.at(x, y),
    )


def _state(age_min: float, rng: np.random.Generator) -> IncidentState:
    """Most old calls are closed; a few left the list another way."""
    draw = rng.random()
    if age_min > 30.0 and draw < 0.06:
        return (_S.CANCELLED, _S.TRANSFERRED, _S.MERGED)[int(draw * 50)]
    pace = age_min * rng.uniform(0.8, 1.25)
    return [state for since, state in _PROGRESS if pace >= since][-1]


def _where(place: str, town: Town, rng: np.random.Generator) -> tuple[float, float]:
    """X, y in the plane."""
    ways = town.ways
    if place == "junction":
        lit = np.flatnonzero(ways.cycle_s > 0)
        end = int(ways.end[int(rng.choice(lit))])
        spread_m, at = 12.0, np.array([ways.network.node_x[end], ways.network.node_y[end]])
    elif place in town.places:
        spread_m, at = 60.0, town.places[place][int(rng.integers(len(town.places[place])))]
    elif place == "bar":
        # Bars stand together: the same few streets every night.
        corner = np.random.default_rng(len(ways) + int(rng.integers(8)))
        street = town.pick(Access.CAR, Purpose.SHOP, corner)
        spread_m, at = 90.0, town.xy(street)
    else:
        purpose = {"home": Purpose.HOME, "shop": Purpose.SHOP}.get(place, Purpose.BEAT)
        spread_m, at = 18.0, town.xy(town.pick(Access.CAR, purpose, rng))
    offset: Floats = rng.normal(0.0, spread_m, 2)
    return float(at[0] + offset[0]), float(at[1] + offset[1])
