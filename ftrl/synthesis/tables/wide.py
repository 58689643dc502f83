"""What else can be said in the fictional world, for real models: prices, events, schedules, measurements, time zones.

Five more kinds, relations that sound like others (a former mayor beside the mayor), units to convert, and queries:
what belongs to an entity is filtered, added up, listed, or found by what comes next.
"""

from __future__ import annotations

from dataclasses import replace

from ftrl.synthesis.tables.facts import Clock, Date, Kind, Moment, Quantity, Query, Relation, Rows, Take
from ftrl.synthesis.tables.relations import (
    BOOK,
    BRIDGE,
    COMPANY,
    COUNTRY,
    FESTIVAL,
    FILM,
    MOUNTAIN,
    MUSEUM,
    OPERA,
    PAINTING,
    PERSON,
    RELATIONS,
    RIVER,
    SCHOOL,
    SHIP,
    TEAM,
    TOWN,
)


def _kind(noun: str, *parameters: str, suffix: str = "") -> Kind:
    return Kind(noun, parameters, suffix=suffix, mentions=(f"the {noun} {{}}",) if not suffix else ("{}",))


PRODUCT = _kind("product", "product", "product_name", "article")
EVENT = _kind("event", "event", "event_name", "event_title")
LINE = _kind("ferry line", "ferry_line", "line", "line_name")
STATION = _kind("weather station", "station", "station_name", "weather_station")
ZONE = _kind("time zone", "time_zone", "zone", "zone_name", suffix="Time")

WIDE_KINDS = (PRODUCT, EVENT, LINE, STATION, ZONE)
"""Their order is part of every name: append, never insert."""

MOST_WIDE_KINDS = 16
"""Room for more of them in the numbering of names."""

UNITS: dict[str, tuple[tuple[str, float], ...]] = {
    "metres": (("feet", 3.28084), ("yards", 1.09361)),
    "kilometres": (("miles", 0.621371), ("nautical miles", 0.539957)),
    "square kilometres": (("square miles", 0.386102), ("hectares", 100)),
    "tonnes": (("short tons", 1.10231), ("kilograms", 1000)),
    "grams": (("ounces", 0.035274), ("pounds", 0.00220462)),
    "crowns": (("ducats", 2.75), ("florins", 7.3)),
    "million crowns": (("million ducats", 2.75), ("million florins", 7.3)),
}
"""A unit of the world and the units that a figure may be asked for in; ducats and florins are nobody's."""


def _relation(subject: Kind, object_: Kind | Quantity | Date | Moment, nouns: str, *phrases: str) -> Relation:
    return Relation(subject, object_, tuple(nouns.split("|")), phrases)


def _with_units(relation: Relation) -> Relation:
    answer = relation.object
    if isinstance(answer, Quantity) and answer.unit in UNITS:
        return replace(relation, object=replace(answer, units=UNITS[answer.unit]))
    return relation


PRICE = _relation(
    PRODUCT,
    Quantity(1_000, 99_999, "crowns", "higher", "lower", each="pieces of"),
    "unit price|product price",
    "the price of {}",
    "the amount charged for {}",
)
EVENT_DAY = _relation(EVENT, Date(2150, 2199), "event date|calendar date", "the date of {}", "the day of {}")
STARTS = _relation(EVENT, Moment(2150, 2199), "start in universal time", "the start of {}")
OFFSET = _relation(ZONE, Quantity(-47, 51, "quarters of an hour"), "offset", "the offset of {}")
"""The last two are told by no tool of their own."""

_MORE = (
    PRICE,
    _relation(PRODUCT, PERSON, "product designer|creator", "the designer of {}", "the person who designed {}"),
    _relation(PRODUCT, Quantity(1_000, 89_999, "grams", "greater"), "net weight|product weight", "the net weight of {}",
              "the weight given for {}"),
    _relation(PRODUCT, Date(2101, 2149), "launch date|market entry", "the launch date of {}",
              "the day on which {} came on the market"),
    EVENT_DAY,
    _relation(EVENT, PERSON, "keynote speaker|speaker", "the keynote speaker of {}", "the person who opens {}"),
    _relation(EVENT, COMPANY, "main sponsor|patron", "the main sponsor of {}", "the company that pays for {}"),
    _relation(LINE, COMPANY, "operator|ferry operator", "the operator of {}", "the company that runs {}"),
    _relation(LINE, Quantity(1_000, 9_999, "crowns", "higher", "lower", each="tickets for"), "fare|ticket price",
              "the fare of {}", "the ticket price of {}"),
    _relation(LINE, SHIP, "ferry|vessel", "the ferry of {}", "the ship that serves {}"),
    _relation(STATION, PERSON, "observer|meteorologist", "the observer of {}", "the person who reads the dials of {}"),
    _relation(STATION, Quantity(1_000, 4_999, "metres", "greater"), "station height|mast height",
              "the station height of {}", "the height above the sea of {}"),
    _relation(TOWN, STATION, "weather station|observatory", "the weather station of {}",
              "the weather station that serves {}"),
    _relation(TOWN, LINE, "ferry line|boat service", "the ferry line of {}", "the ferry line that calls at {}"),
    _relation(TOWN, ZONE, "time zone|local time", "the time zone of {}", "the time zone observed in {}"),
    _relation(TOWN, PERSON, "former mayor|previous mayor", "the former mayor of {}",
              "the person who was mayor before the present one in {}"),
    _relation(TOWN, Quantity(10_000, 899_999, "people"), "former population|past census",
              "the former population of {}", "the population counted by the census before last in {}"),
    _relation(COUNTRY, PERSON, "former president|past president", "the former president of {}",
              "the previous president of {}"),
    _relation(COUNTRY, TOWN, "former capital|old capital", "the former capital of {}", "the old capital of {}"),
    _relation(COMPANY, TOWN, "former headquarters|old head office", "the former headquarters of {}",
              "the former head office of {}"),
    _relation(COMPANY, Quantity(1_000, 99_999, "million crowns"), "revenue forecast|forecast",
              "the revenue forecast of {}", "the revenue expected next year by {}"),
    _relation(BOOK, PERSON, "translator|translation", "the translator of {}", "the person who translated {}"),
    _relation(FILM, Quantity(10_000, 899_999, "crowns"), "marketing budget|marketing cost",
              "the marketing budget of {}", "the sum spent on advertising {}"),
    _relation(PAINTING, PERSON, "previous owner|provenance", "the previous owner of {}",
              "the person who last sold {}"),
    _relation(SHIP, Date(2051, 2149), "maiden voyage date|first sailing", "the maiden voyage date of {}",
              "the day on which {} first sailed"),
    _relation(SHIP, PERSON, "former captain|previous captain", "the former captain of {}",
              "the person who used to command {}"),
    _relation(MUSEUM, Date(1801, 1999), "opening date|inauguration", "the opening date of {}",
              "the day on which visitors first entered {}"),
    _relation(SCHOOL, Date(1701, 1999), "founding day|charter", "the founding date of {}",
              "the day on which pupils were first taught at {}"),
    _relation(TEAM, PERSON, "former coach|previous coach", "the former coach of {}", "the previous coach of {}"),
    _relation(TEAM, Date(1851, 1999), "club founding date|foundation", "the founding date of {}",
              "the day on which {} was set up"),
    _relation(OPERA, PERSON, "conductor|baton", "the conductor of {}", "the person who first conducted {}"),
    _relation(BRIDGE, Quantity(1_000, 9_999, "metres", "greater"), "planned span|design span", "the planned span of {}",
              "the span that was planned for {}"),
    _relation(RIVER, TOWN, "mouth|estuary", "the town at the mouth of {}", "the town where {} meets the sea"),
    _relation(MOUNTAIN, STATION, "summit station|peak station", "the summit weather station of {}",
              "the weather station on top of {}"),
    _relation(FESTIVAL, COMPANY, "festival sponsor|backing company", "the sponsor of {}", "the company that backs {}"),
)  # fmt: skip

WIDE_RELATIONS = tuple(_with_units(relation) for relation in (*RELATIONS, *_MORE))
"""The relations of the wide world: those of the small one first, with units."""

PRODUCTS = Rows("products", "product", "products", "price", Quantity(unit="crowns"), PRODUCT)
EVENTS = Rows("events", "event", "events", "date", Date(), EVENT)
DEPARTURES = Rows("departures", "departure", "departures", "time", Clock(), None)
RAIN = Rows("rain", "day", "days", "rainfall", Quantity(1_000, 9_999, unit="litres"), Date(2140, 2149))

MEASURES = {"products": PRICE, "events": EVENT_DAY}
"""Rows that are entities, and the relation that their figure is."""


def _query(
    subject: Kind,
    object_: Kind | Quantity | Date | Clock | Moment,
    nouns: str,
    take: Take,
    rows: Rows | None,
    told: str,
    takes: str,
    asks: str,
    *phrases: str,
    parts: tuple[Relation, ...] = (),
) -> Relation:
    query = Query(take, rows, told, tuple(takes.split("|")), asks, parts)
    return Relation(subject, object_, tuple(nouns.split("|")), phrases, "", query)


_ABOVE_PRICE = "Only products that cost more than this many crowns."
_ABOVE_RAIN = "Only days with more rain than this, in litres."

WIDE_QUERIES = (
    _query(COMPANY, PRODUCT, "cheapest product|next product up", Take.NEXT, PRODUCTS,
           "the cheapest product above a price among those of {}", "min_price|above_price|price_over", _ABOVE_PRICE,
           "the cheapest product above {given} crowns made by {}",
           "the least expensive of the products over {given} crowns from {}"),
    _query(COMPANY, PRODUCT, "dearest product|next product down", Take.LAST, PRODUCTS,
           "the most expensive product below a price among those of {}", "max_price|below_price|price_under",
           "Only products that cost less than this many crowns.",
           "the most expensive product below {given} crowns made by {}",
           "the dearest of the products under {given} crowns from {}"),
    _query(COMPANY, Quantity(unit="crowns"), "combined price|catalogue value", Take.TOTAL, PRODUCTS,
           "the combined price of the products above a price among those of {}", "min_price|above_price|price_over",
           _ABOVE_PRICE, "the combined price of all products above {given} crowns made by {}",
           "the sum of the prices of those products over {given} crowns that come from {}"),
    _query(COMPANY, PRODUCT, "products above|catalogue", Take.WHICH, PRODUCTS,
           "the products above a price among those of {}", "min_price|above_price|price_over", _ABOVE_PRICE,
           "the products above {given} crowns made by {}", "the products over {given} crowns from {}"),
    _query(FESTIVAL, EVENT, "next event|upcoming event", Take.NEXT, EVENTS,
           "the first event after a day among those of {}", "after|after_date|from_day",
           "Only events after this day, written YYYY-MM-DD.", "the first event after {given} at {}",
           "the next event following {given} in the programme of {}"),
    _query(FESTIVAL, EVENT, "last event|preceding event", Take.LAST, EVENTS,
           "the last event before a day among those of {}", "before|before_date|until_day",
           "Only events before this day, written YYYY-MM-DD.", "the last event before {given} at {}",
           "the latest event prior to {given} in the programme of {}"),
    _query(FESTIVAL, EVENT, "events after|programme", Take.WHICH, EVENTS,
           "the events after a day among those of {}", "after|after_date|from_day",
           "Only events after this day, written YYYY-MM-DD.", "the events after {given} at {}",
           "the events later than {given} in the programme of {}"),
    _query(LINE, Clock(), "next departure|sailing", Take.NEXT, DEPARTURES,
           "the first departure after a time of day of {}", "after|after_time|not_before",
           "Only departures after this time, written HH:MM.", "the first departure after {given} of {}",
           "the time of the next sailing after {given} of {}"),
    _query(LINE, Clock(), "last departure|earlier sailing", Take.LAST, DEPARTURES,
           "the last departure before a time of day of {}", "before|before_time|no_later_than",
           "Only departures before this time, written HH:MM.", "the last departure before {given} of {}",
           "the time of the latest sailing before {given} of {}"),
    _query(STATION, Date(), "driest day|lowest reading", Take.NEXT, RAIN,
           "the day with the least rain above an amount at {}", "min_rainfall|above|threshold", _ABOVE_RAIN,
           "the day with the least rain above {given} litres at {}",
           "the day of the lowest rainfall over {given} litres recorded by {}"),
    _query(STATION, Quantity(unit="litres"), "total rainfall|rain total", Take.TOTAL, RAIN,
           "the combined rainfall of the days above an amount at {}", "min_rainfall|above|threshold", _ABOVE_RAIN,
           "the combined rainfall of all days above {given} litres at {}",
           "the total amount of rain on days over {given} litres recorded by {}"),
    _query(STATION, Date(), "wet days|rainy days", Take.WHICH, RAIN,
           "the days with more rain than an amount at {}", "min_rainfall|above|threshold", _ABOVE_RAIN,
           "the days with more than {given} litres of rain at {}",
           "the days over {given} litres recorded by {}"),
    _query(ZONE, Moment(), "event start|local start", Take.TIME, None,
           "the day and time at which an event starts by the clocks of {}", "event|event_name|what",
           "Name of the event.", "the start of the event {given} in {}",
           "the day and time at which the event {given} begins by the clocks of {}",
           parts=(OFFSET, STARTS)),
)  # fmt: skip
"""What takes more than looking up."""
