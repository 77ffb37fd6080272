"""The searches that can be asked for, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geo_policing.errors import InvalidInput
from geo_policing.model import TimeWindow
from geo_policing.tracks import searches
from geo_policing.tracks.inquiry import questions, runs, scenes, vehicles
from geo_policing.tracks.inquiry.found import Found
from geo_policing.tracks.inquiry.ground import Asked
from geo_policing.tracks.inquiry.questions import AlongRoads, Question
from geo_policing.tracks.searches.history import check_length


@dataclass(frozen=True, slots=True)
class Search:
    """A search: what it is asked, and how it is run.

    Parameters
    ----------
    title : str
        As people call it, in Chinese and English.
    question : type of Question
        What it is asked.
    run : callable
        From what it is run on and its question to what it found.
    defined : callable
        The search itself; its docstring is the exact definition.
    """

    title: str
    question: type[Question]
    run: Callable[[Asked, Any], Found]
    defined: Callable[..., Any]

    @property
    def definition(self) -> str:
        """What exactly is searched, without the parameters."""
        text = (self.defined.__doc__ or "").partition("Parameters\n")[0]
        return "\n".join(line.strip() for line in text.strip().splitlines()).strip()

    def ask(self, asked: Asked, question: Question) -> Found:
        """Run it.

        Raises
        ------
        InvalidInput
            If something of the question cannot be: the field, and what to do.
        """
        try:
            if isinstance(question, AlongRoads) and question.along_roads:
                if (window := getattr(question, "window", None)) is not None:
                    check_length(TimeWindow.parse(window, field="window"), 1)
                asked = asked.along_roads()
            return self.run(asked, question)
        except InvalidInput as error:
            # The searches call their window as the interface calls that of a track.
            if error.field == "datetime":
                error.field = "window"
            raise


#: By name, as they stand in addresses and on the command line; in the order in which they are listed.
SEARCHES: dict[str, Search] = {
    "presences": Search("区域出现 Presences", questions.Presences, runs.presences, searches.presences),
    "collision": Search("时空碰撞 Collision", questions.Collision, runs.collision, searches.collision),
    "companions": Search("伴随 Companions", questions.Companions, runs.companions, searches.companions),
    "footholds": Search("落脚点 Footholds", questions.Footholds, runs.footholds, searches.footholds),
    "first-entry": Search(
        "首次入城 First entry", questions.FirstEntry, runs.first_entry, searches.first_entry
    ),
    "frequent": Search("频繁出现 Frequent presence", questions.Frequent, runs.frequent, searches.frequent),
    "night-activity": Search(
        "昼伏夜出 Night activity", questions.NightActivity, runs.night_activity, searches.night_activity
    ),
    "vanished": Search("隐匿 Vanished after", questions.Vanished, runs.vanished, searches.vanished),
    "passages": Search("过线 Passages", questions.Passages, runs.passages, searches.passages),
    "itinerary": Search("轨迹查询 Itinerary", questions.Itinerary, vehicles.itinerary, searches.itinerary),
    "overlap": Search("轨迹碰撞 Track overlap", questions.Overlap, vehicles.overlap, searches.overlap),
    "cloned": Search("套牌 Cloned identity", questions.Cloned, vehicles.cloned, searches.cloned),
    "suspects": Search(
        "由案到人 From the scene to the suspect", questions.Suspects, scenes.suspects, scenes.suspects
    ),
}
