"""Retention of answers: they hold where people were, so they go in time; who asked what and why stays."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from geo_policing.errors import InvalidInput
from geo_policing.store import tables
from geo_policing.store.engine import writing

DAY_US = 86_400_000_000
#: The tables that have answers, and when what they answer was asked.
_OF = {
    "searches": (tables.searches, tables.searches.c.asked_us),
    "reconstructions": (tables.reconstructions, tables.reconstructions.c.created_us),
}


@dataclass(frozen=True, slots=True)
class AnswersDeleted:
    """Answers that were deleted, when, and under which rule.

    Parameters
    ----------
    at_us : int
        When, microseconds of UTC.
    what : str
        Whose answers: ``searches`` or ``reconstructions``.
    case_number : str
        Of which case.
    rule : str
        The rule, like ``answers=180``.
    answers : int
        How many.
    first_us, last_us : int
        When the first and the last of them were asked for.
    by : str
        Who asked for it.
    """

    at_us: int
    what: str
    case_number: str
    rule: str
    answers: int
    first_us: int
    last_us: int
    by: str


class Answers:
    """Deletes answers that no rule keeps any longer, and keeps a record of it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def expire(self, days: int, held: Collection[str], now_us: int, by: str) -> Sequence[AnswersDeleted]:
        """Delete the answers that were asked for longer ago than so many days, but for those of held cases.

        The question, who asked, when and why, and how much was found stay, and so do the looks.

        Parameters
        ----------
        days : int
            For how many days answers are kept, at least 1.
        held : collection of str
            Numbers of the cases whose answers stay.
        now_us : int
            What time it is, microseconds of UTC.
        by : str
            Who asks for it.

        Returns
        -------
        sequence of AnswersDeleted
            What was deleted, one a case, as it is kept in the same transaction.

        Raises
        ------
        InvalidInput
            If the days are less than one.
        Unavailable
            If the records cannot be written: then nothing was deleted.
        """
        if days < 1:
            raise InvalidInput(
                f"retention of answers: {days} is less than a day; give 1 or more",
                field="answers",
                value=days,
            )
        made = []
        with writing(self._engine) as db:
            for what, (table, asked_us) in _OF.items():
                over = table.c.answer.is_not(None) & (asked_us < now_us - days * DAY_US)
                cases = sa.select(table.c.case_number).where(over).distinct().order_by(table.c.case_number)
                for case in db.execute(cases).scalars().all():
                    # Not in the statement: there may be more than it takes parameters.
                    if case in held:
                        continue
                    # What this deletes is counted, and not what was there: another may have deleted it.
                    mine = table.update().where(over & (table.c.case_number == case))
                    gone = mine.values(answer=None, deleted_us=now_us).returning(asked_us)
                    if asked := db.execute(gone).scalars().all():
                        span = (min(asked), max(asked))
                        made.append(
                            AnswersDeleted(now_us, what, case, f"answers={days}", len(asked), *span, by)
                        )
            if made:
                db.execute(tables.answers_deleted.insert(), [asdict(one) for one in made])
        return made

    def deletions(self) -> Sequence[AnswersDeleted]:
        """Return what was deleted, in the order in which it was."""
        t = tables.answers_deleted
        columns = [column for column in t.c if column.name != "id"]
        with self._engine.connect() as db:
            return [
                AnswersDeleted(**row) for row in db.execute(sa.select(*columns).order_by(t.c.id)).mappings()
            ]
