"""What roads and quarters are called, in Chinese."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from geo_policing.roads.network import RoadClass
from geo_policing_sample_city.lines import Line, along
from geo_policing_sample_city.terrain import Array, Terrain

#: The two roads along the river, and the bridges from the south, arterials' and then the expressway's.
RIVERSIDE = ("滨江大道", "沿江大道")
BRIDGES = ("枫溪大桥", "建宁大桥", "芦淞大桥", "天元大桥", "石峰大桥")
EXPRESSWAY = "绕城快速路"
EXPRESSWAY_BRIDGES = ("湘江南大桥", "湘江北大桥")
HILLS = ("九郎山", "法华山", "云龙山")
LARGE = (
    "建设 人民 新华 泰山 长江 红旗 黄河 炎帝 神农 迎宾 珠江 天台 中华 解放 和平 嵩山 黄山 庐山 衡山 华山 "
    "昆仑 太行 湘芸 株洲 云龙 时代 创新 科技 光明 胜利 团结 友谊 前进 东风 向阳 幸福 长春 江山 锦绣 凤凰"
)
MIDDLE = (
    "车站 文化 桂花 荷花 石峰 田心 白石 清水 东湖 月塘 学林 体育 公园 钟鼓 合泰 贺嘉 响石 茨菇 文昌 书院 "
    "育才 丽景 翠竹 梅花 杜鹃 玉兰 紫荆 银杏 香樟 海棠 芙蓉 牡丹 玫瑰 百合 枫林 松林 竹园 桃园 梨园 杏园 "
    "南湖 北湖 西湖 金山 银山 玉泉 龙泉 明珠 金星 启明 晨光 朝阳 永安 长安 康宁 福寿 广场 市府 民主 劳动 "
    "工农 纺织 机车 电力 冶金 化工 铁路 机场 物流 航空 动力 轨道 新城 新塘 新桥 新民 兴隆 兴业 兴旺 昌盛"
)
FIRST, SECOND = "樟荷桂枫石白清龙响田月柳杉栗橘藕泉竹松梅", "塘坡冲湾岭桥港井坪洲家垅园村"
DIGITS = "零一二三四五六七八九"
QUARTERS = 270


@dataclass(frozen=True, eq=False)
class Quarters:
    """Parts of the city with names of their own, each around a point.

    Parameters
    ----------
    middle : (q, 2) float64
        Their middles, metres.
    name : tuple of str
        What they are called.
    """

    middle: Array
    name: tuple[str, ...]

    def of(self, xy: Array) -> list[int]:
        """Which quarter each of some places is in."""
        return [int(i) for i in cKDTree(self.middle).query(xy)[1]]


def make_quarters(terrain: Terrain, rng: np.random.Generator) -> Quarters:
    """Spread quarters over the city, smaller where it is denser."""
    reach = np.array(terrain.urban_area.bounds)
    xy = rng.uniform(reach[:2], reach[2:], (8000, 2))
    density = terrain.density(*xy.T)
    chosen: list[int] = []
    for i in range(len(xy)):
        apart = 380 + 1500 * (1 - density[i])
        if not chosen or np.hypot(*(xy[chosen] - xy[i]).T).min() > apart:
            chosen.append(i)
        if len(chosen) == QUARTERS:
            break
    names = [a + b for a in FIRST for b in SECOND]
    order = rng.permutation(len(names))[: len(chosen)]
    return Quarters(xy[chosen], tuple(names[i] for i in order))


def name_large(lines: list[Line], rng: np.random.Generator) -> list[Line]:
    """Name arterials and secondary streets, each line otherwise; the first two are those along the river."""
    large, middle = _shuffled(LARGE, rng), _shuffled(MIDDLE, rng)
    named = []
    for i, line in enumerate(lines):
        if i < len(RIVERSIDE):
            name = RIVERSIDE[i]
        elif line.road_class == RoadClass.ARTERIAL:
            name = next(large) + ("大道" if line.length_m > 6500 else "路")
        else:
            name = next(middle) + ("街" if line.length_m < 1500 else "路")
        named.append(replace(line, name=name))
    return named


def name_small(lines: list[Line], quarters: Quarters) -> list[Line]:
    """Name streets by quarter and number: 街 and 路 for streets, 巷 for alleys; footways keep theirs."""
    middles = np.array([along(one.xy, np.array([one.length_m / 2]))[0] for one in lines])
    of = quarters.of(middles)
    count: dict[tuple[int, str], int] = {}
    named = list(lines)
    for i in np.lexsort((-middles[:, 1].round(-2), np.array([one.road_class for one in lines]))).tolist():
        kind = {RoadClass.STREET: "路", RoadClass.RESIDENTIAL: "街", RoadClass.SERVICE: "巷"}.get(
            lines[i].road_class
        )
        if kind is None or lines[i].name:
            continue
        number = count[of[i], kind] = count.get((of[i], kind), 0) + 1
        named[i] = replace(lines[i], name=f"{quarters.name[of[i]]}{numeral(number)}{kind}")
    return named


def numeral(number: int) -> str:
    """1 to 99 in Chinese."""
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else DIGITS[tens] + "十"
    return head + (DIGITS[ones] if ones else "")


def _shuffled(text: str, rng: np.random.Generator) -> Iterator[str]:
    """All words in some order, and then all of them again, told apart by a syllable before."""
    words = text.split()
    order = rng.permutation(len(words)).tolist()
    for before in ("", "新", "东", "西", "南", "北"):
        for i in order:
            yield before + words[i]
