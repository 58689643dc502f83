"""What can be said in the fictional world: sixteen kinds of entities and the relations between them.

A relation is a function of one entity: it leads to one other entity, to a quantity, or to a day. The words by which
a relation is called stand here, since they are what makes it: the nouns of its tool, and the phrases of a
question. The first word of a noun belongs to one relation alone, so that the beginning of a tool's name
tells which it is. No relation undoes another or follows from others: facts are drawn one by one, and may
not contradict each other.
"""

from __future__ import annotations

from ftrl.synthesis.tables.facts import Date, Kind, Quantity, Relation


def _kind(noun: str, *parameters: str) -> Kind:
    return Kind(noun, parameters, mentions=("{}", f"the {noun} {{}}"))


def _place(noun: str, suffix: str, *parameters: str) -> Kind:
    return Kind(noun, parameters, suffix=suffix)


PERSON = Kind("person", ("person", "name", "person_name", "full_name"), words=2, person=True)
TOWN = _kind("town", "town", "town_name", "place")
COUNTRY = _kind("country", "country", "country_name", "nation")
RIVER = _kind("river", "river", "river_name", "stream")
MOUNTAIN = _kind("mountain", "mountain", "mountain_name", "summit")
COMPANY = _kind("company", "company", "company_name", "firm")
BOOK = _kind("book", "book", "title", "book_title")
FILM = _kind("film", "film", "film_title", "movie")
PAINTING = _kind("painting", "painting", "painting_title", "artwork")
SHIP = _kind("ship", "ship", "ship_name", "vessel")
MUSEUM = _place("museum", "Museum", "museum", "museum_name", "collection")
FESTIVAL = _place("festival", "Festival", "festival", "festival_name", "event")
SCHOOL = _place("school", "College", "school", "school_name", "college")
TEAM = _kind("team", "team", "team_name", "club")
OPERA = _kind("opera", "opera", "opera_title", "work")
BRIDGE = _place("bridge", "Bridge", "bridge", "bridge_name", "structure")

KINDS = (
    *(PERSON, TOWN, COUNTRY, RIVER, MOUNTAIN, COMPANY, BOOK, FILM),
    *(PAINTING, SHIP, MUSEUM, FESTIVAL, SCHOOL, TEAM, OPERA, BRIDGE),
)
"""Their order is part of every name: append, never insert."""

MOST_KINDS = 16
"""Room for kinds in the numbering of names."""


def _relation(subject: Kind, object_: Kind | Quantity | Date, nouns: str, *phrases: str) -> Relation:
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
    _relation(COMPANY, Date(1801, 1999), "founding date|establishment", "the founding date of {}",
              "the day on which {} was founded"),
    _relation(COMPANY, Quantity(1_000, 99_999, "million crowns"), "revenue|turnover", "the revenue of {}",
              "the yearly turnover of {}"),
    _relation(COMPANY, COMPANY, "parent|owner", "the parent company of {}", "the company that owns {}"),
    _relation(BOOK, PERSON, "author|writer", "the author of {}", "the person who wrote {}"),
    _relation(BOOK, PERSON, "illustrator|drawings", "the illustrator of {}",
              "the person who drew the pictures of {}"),
    _relation(BOOK, COMPANY, "publisher|imprint", "the publisher of {}", "the company that published {}"),
    _relation(BOOK, Date(1701, 1999), "publication date|release", "the publication date of {}",
              "the day on which {} was published"),
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
    _relation(OPERA, Date(1701, 1999), "premiere date|debut", "the premiere date of {}",
              "the day on which {} was first performed"),
    _relation(BRIDGE, PERSON, "engineer|constructor", "the engineer of {}", "the person who constructed {}"),
    _relation(BRIDGE, RIVER, "crossing|crossed river", "the river below {}", "the river that {} crosses"),
    _relation(BRIDGE, Quantity(1_000, 9_999, "metres", "greater"), "span|reach", "the span of {}",
              "the width that {} spans"),
    _relation(BRIDGE, Date(1801, 1999), "completion date|opening", "the completion date of {}",
              "the day on which {} was finished"),
)  # fmt: skip
"""Every relation. A world needs at least twenty; these leave room to hold some out."""

RELATIONS_OF: dict[Kind, tuple[Relation, ...]] = {
    kind: tuple(relation for relation in RELATIONS if relation.subject == kind) for kind in KINDS
}
"""The relations of each kind, in the order of ``RELATIONS``."""
