"""What can be said in the fictional world: sixteen kinds of entities and the relations between them.

A relation is a function of one entity: it leads to one other entity, or to one quantity. The words by which
a relation is called stand here, since they are what makes it: the nouns of its tool, and the phrases of a
question. The first word of a noun belongs to one relation alone, so that the beginning of a tool's name
tells which it is. No relation undoes another or follows from others: facts are drawn one by one, and may
not contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of entity.

    Attributes:
        noun: what a member is called in a sentence.
        parameters: names that a tool may give to an argument that takes a member.
        words: how many words the name has, one or two.
        suffix: a word that every name of the kind ends with.
        introduced: whether a question may say the noun before the name ("the town Kelbrani").
    """

    noun: str
    parameters: tuple[str, ...]
    words: int = 1
    suffix: str = ""
    introduced: bool = True

    def dress(self, syllables: tuple[str, ...]) -> str:
        """The name that these syllables make for a member of this kind."""
        parts = ["".join(syllables[:2]), "".join(syllables[2:])] if self.words == 2 else ["".join(syllables)]
        return " ".join([*(part.capitalize() for part in parts), *([self.suffix] if self.suffix else [])])


@dataclass(frozen=True)
class Quantity:
    """A whole number between two bounds, both included.

    Attributes:
        unit: what it counts, in a document; empty for years.
        more, less: the words of a comparison.
    """

    low: int
    high: int
    unit: str = ""
    more: str = "larger"
    less: str = "smaller"


@dataclass(frozen=True)
class Relation:
    """A function from the entities of one kind to the entities of another, or to a quantity.

    Attributes:
        nouns: what it is called, in tool names (spaces become underscores) and documents.
        phrases: what it is called in a question, with ``{}`` for the subject.
    """

    subject: Kind
    object: Kind | Quantity
    nouns: tuple[str, ...]
    phrases: tuple[str, ...]

    @property
    def key(self) -> str:
        """The relation's name in provenance and hashes."""
        return f"{self.subject.noun}.{self.nouns[0].replace(' ', '_')}"


PERSON = Kind("person", ("person", "name", "person_name", "full_name"), words=2, introduced=False)
TOWN = Kind("town", ("town", "town_name", "place"))
COUNTRY = Kind("country", ("country", "country_name", "nation"))
RIVER = Kind("river", ("river", "river_name", "stream"))
MOUNTAIN = Kind("mountain", ("mountain", "mountain_name", "summit"))
COMPANY = Kind("company", ("company", "company_name", "firm"))
BOOK = Kind("book", ("book", "title", "book_title"))
FILM = Kind("film", ("film", "film_title", "movie"))
PAINTING = Kind("painting", ("painting", "painting_title", "artwork"))
SHIP = Kind("ship", ("ship", "ship_name", "vessel"))
MUSEUM = Kind("museum", ("museum", "museum_name", "collection"), suffix="Museum", introduced=False)
FESTIVAL = Kind("festival", ("festival", "festival_name", "event"), suffix="Festival", introduced=False)
SCHOOL = Kind("school", ("school", "school_name", "college"), suffix="College", introduced=False)
TEAM = Kind("team", ("team", "team_name", "club"))
OPERA = Kind("opera", ("opera", "opera_title", "work"))
BRIDGE = Kind("bridge", ("bridge", "bridge_name", "structure"), suffix="Bridge", introduced=False)

KINDS = (
    *(PERSON, TOWN, COUNTRY, RIVER, MOUNTAIN, COMPANY, BOOK, FILM),
    *(PAINTING, SHIP, MUSEUM, FESTIVAL, SCHOOL, TEAM, OPERA, BRIDGE),
)
"""Their order is part of every name: append, never insert."""

MOST_KINDS = 16
"""Room for kinds in the numbering of names."""


def _year(low: int, high: int) -> Quantity:
    return Quantity(low, high, more="later", less="earlier")


def _relation(subject: Kind, object_: Kind | Quantity, nouns: str, *phrases: str) -> Relation:
    return Relation(subject, object_, tuple(nouns.split("|")), phrases)


RELATIONS = (
    _relation(PERSON, TOWN, "birthplace|birth town", "the birthplace of {}", "the town where {} was born"),
    _relation(PERSON, COMPANY, "employer|workplace", "the employer of {}", "the company that {} works for"),
    _relation(PERSON, PERSON, "mentor|tutor", "the mentor of {}", "the person who taught {}"),
    _relation(PERSON, SCHOOL, "alma mater|education", "the alma mater of {}", "the school that {} went to"),
    _relation(TOWN, PERSON, "mayor|mayoralty", "the mayor of {}", "the person who governs {}"),
    _relation(TOWN, Quantity(10_000, 899_999, "people"), "population|inhabitants", "the population of {}",
              "the number of people living in {}"),
    _relation(TOWN, RIVER, "river|waterway", "the river of {}", "the river that flows through {}"),
    _relation(TOWN, PERSON, "namesake|eponym", "the namesake of {}", "the person after whom {} is named"),
    _relation(COUNTRY, TOWN, "capital|seat", "the capital of {}", "the town from which {} is ruled"),
    _relation(COUNTRY, Quantity(10_000, 899_999, "square kilometres"), "area|surface", "the area of {}",
              "the surface area of {}"),
    _relation(COUNTRY, PERSON, "president|head of state", "the president of {}", "the head of state of {}"),
    _relation(COUNTRY, MOUNTAIN, "peak|highest mountain", "the highest mountain of {}",
              "the peak that towers over {}"),
    _relation(RIVER, Quantity(1_000, 6_999, "kilometres", "greater"), "length|extent", "the length of {}",
              "the distance that {} flows"),
    _relation(RIVER, MOUNTAIN, "source|spring", "the source of {}", "the mountain from which {} springs"),
    _relation(MOUNTAIN, Quantity(1_000, 8_999, "metres", "greater"), "elevation|altitude",
              "the elevation of {}",
              "the height of {} above the sea"),
    _relation(MOUNTAIN, PERSON, "climber|ascent", "the first climber of {}",
              "the person who first climbed {}"),
    _relation(COMPANY, PERSON, "founder|entrepreneur", "the founder of {}", "the person who founded {}"),
    _relation(COMPANY, TOWN, "headquarters|office", "the headquarters of {}",
              "the town where {} has its head office"),
    _relation(COMPANY, _year(1801, 1999), "founding year|establishment", "the founding year of {}",
              "the year in which {} was founded"),
    _relation(COMPANY, Quantity(1_000, 99_999, "million crowns"), "revenue|turnover", "the revenue of {}",
              "the yearly turnover of {}"),
    _relation(COMPANY, COMPANY, "parent|owner", "the parent company of {}", "the company that owns {}"),
    _relation(BOOK, PERSON, "author|writer", "the author of {}", "the person who wrote {}"),
    _relation(BOOK, PERSON, "illustrator|drawings", "the illustrator of {}",
              "the person who drew the pictures of {}"),
    _relation(BOOK, COMPANY, "publisher|imprint", "the publisher of {}", "the company that published {}"),
    _relation(BOOK, _year(1701, 1999), "publication year|release", "the publication year of {}",
              "the year in which {} was published"),
    _relation(FILM, PERSON, "director|filmmaker", "the director of {}", "the person who directed {}"),
    _relation(FILM, PERSON, "star|lead actor", "the star of {}", "the person who plays the lead in {}"),
    _relation(FILM, COMPANY, "studio|producer", "the studio of {}", "the company that produced {}"),
    _relation(FILM, Quantity(10_000, 899_999, "crowns"), "budget|cost", "the budget of {}",
              "the cost of making {}"),
    _relation(PAINTING, PERSON, "painter|artist", "the painter of {}", "the person who painted {}"),
    _relation(PAINTING, MUSEUM, "museum|gallery", "the museum of {}", "the museum that shows {}"),
    _relation(PAINTING, Quantity(10_000, 899_999, "crowns", "higher", "lower"), "price|value",
              "the price of {}",
              "the price paid for {}"),
    _relation(SHIP, PERSON, "captain|skipper", "the captain of {}", "the person who commands {}"),
    _relation(SHIP, TOWN, "home port|harbour", "the home port of {}",
              "the town in whose harbour {} is at home"),
    _relation(SHIP, COMPANY, "shipyard|builder", "the builder of {}", "the company that built {}"),
    _relation(SHIP, COUNTRY, "flag|registry", "the flag country of {}", "the country whose flag {} flies"),
    _relation(SHIP, Quantity(10_000, 99_999, "tonnes"), "tonnage|weight", "the tonnage of {}",
              "the weight of {}"),
    _relation(MUSEUM, PERSON, "architect|designer", "the architect of {}", "the person who designed {}"),
    _relation(MUSEUM, PERSON, "curator|keeper", "the curator of {}", "the person who looks after {}"),
    _relation(MUSEUM, Quantity(10_000, 899_999, "visitors a year"), "visitor number|footfall",
              "the visitor number of {}",
              "the number of people who visit {} in a year"),
    _relation(FESTIVAL, TOWN, "host|venue", "the host town of {}", "the town where {} is held"),
    _relation(FESTIVAL, PERSON, "organiser|manager", "the organiser of {}", "the person who runs {}"),
    _relation(FESTIVAL, Quantity(10_000, 899_999, "people"), "attendance|crowd", "the attendance of {}",
              "the number of people who come to {}"),
    _relation(SCHOOL, PERSON, "principal|rector", "the principal of {}", "the person who heads {}"),
    _relation(SCHOOL, TOWN, "campus|site", "the campus town of {}", "the town where {} stands"),
    _relation(SCHOOL, Quantity(1_000, 49_999, "students"), "enrolment|students", "the enrolment of {}",
              "the number of students at {}"),
    _relation(TEAM, PERSON, "coach|trainer", "the coach of {}", "the person who trains {}"),
    _relation(TEAM, COMPANY, "sponsor|backer", "the sponsor of {}", "the company that sponsors {}"),
    _relation(TEAM, TOWN, "base|hometown", "the home town of {}", "the town where {} plays its home games"),
    _relation(TEAM, Quantity(10_000, 99_999, "seats"), "stadium capacity|seats", "the stadium capacity of {}",
              "the number of seats in the stadium of {}"),
    _relation(OPERA, PERSON, "composer|music", "the composer of {}", "the person who composed {}"),
    _relation(OPERA, PERSON, "librettist|libretto", "the librettist of {}",
              "the person who wrote the words of {}"),
    _relation(OPERA, COUNTRY, "setting|scene", "the setting of {}", "the country in which {} is set"),
    _relation(OPERA, _year(1701, 1999), "premiere year|debut", "the premiere year of {}",
              "the year in which {} was first performed"),
    _relation(BRIDGE, PERSON, "engineer|constructor", "the engineer of {}", "the person who constructed {}"),
    _relation(BRIDGE, RIVER, "crossing|crossed river", "the river below {}", "the river that {} crosses"),
    _relation(BRIDGE, Quantity(1_000, 9_999, "metres", "greater"), "span|reach", "the span of {}",
              "the width that {} spans"),
    _relation(BRIDGE, _year(1801, 1999), "completion year|opening", "the completion year of {}",
              "the year in which {} was finished"),
)  # fmt: skip
"""Every relation. A world needs at least twenty; these leave room to hold some out."""

RELATIONS_OF: dict[Kind, tuple[Relation, ...]] = {
    kind: tuple(relation for relation in RELATIONS if relation.subject == kind) for kind in KINDS
}
"""The relations of each kind, in the order of ``RELATIONS``."""
