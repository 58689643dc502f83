from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrl.synthesis.tables.facts import Kind
from ftrl.synthesis.tables.relations import KINDS, MOST_KINDS, RELATIONS, RELATIONS_OF
from ftrl.synthesis.tables.world import POPULATION, SEED_BLOCK, SPLITS, World
from ftrl.synthesis.verify_calls import NOBODY

worlds = st.tuples(st.integers(0, SEED_BLOCK - 1), st.sampled_from(SPLITS))
entities = st.tuples(st.sampled_from(KINDS), st.integers(0, POPULATION - 1))


def stem(name: str) -> str:
    """A name without its spaces and its kind's suffix: the part that must be unique."""
    for kind in KINDS:
        name = name.removesuffix(f" {kind.suffix}") if kind.suffix else name
    return name.replace(" ", "").lower()


@given(worlds, entities, worlds, entities)
def test_two_entities_share_a_name_only_if_they_are_the_same_in_the_same_world(world, entity, other_world, other):
    one, two = World(*world).entity(*entity), World(*other_world).entity(*other)
    assert (stem(one.name) == stem(two.name)) == ((world, entity) == (other_world, other))


def test_no_name_of_a_world_stands_in_the_other_split_or_in_the_next_seed():
    names = {
        world: {stem(World(*world).entity(kind, number).name) for kind in KINDS for number in range(200)}
        for world in ((0, "train"), (0, "test"), (1, "train"))
    }
    train, test, next_seed = names.values()
    assert all(len(some) == 200 * len(KINDS) for some in names.values())
    assert not train & test
    assert not train & next_seed


def test_the_whole_population_of_a_kind_has_different_names():
    world = World(3, "train")
    assert len({world.entity(KINDS[0], number).name for number in range(POPULATION)}) == POPULATION


def test_a_fact_is_always_the_same_and_another_in_another_world():
    relation = RELATIONS[0]
    facts = [
        world.fact(relation, world.entity(relation.subject, 7)) for world in (World(0, "train"), World(0, "train"))
    ]
    assert facts[0] == facts[1]
    other = World(0, "test")
    assert other.fact(relation, other.entity(relation.subject, 7)).value != facts[0].value


def test_the_name_that_nobody_has_cannot_be_one():
    letters = {letter for number in range(500) for letter in World(0, "train").entity(KINDS[1], number).name.lower()}
    assert not letters & set(NOBODY.lower().replace(" ", ""))


def test_there_are_at_least_twenty_relations_and_each_kind_leads_on():
    assert len(RELATIONS) >= 20
    assert len(KINDS) <= MOST_KINDS
    for kind in KINDS:
        assert any(isinstance(relation.object, Kind) for relation in RELATIONS_OF[kind]), kind.noun


def test_the_first_word_of_a_noun_belongs_to_one_relation():
    owner: dict[str, str] = {}
    for relation in RELATIONS:
        for noun in relation.nouns:
            assert owner.setdefault(noun.split()[0], relation.key) == relation.key


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.key)
def test_a_relation_can_be_said_in_at_least_two_ways(relation):
    assert len(set(relation.phrases)) >= 2
    assert len(set(relation.nouns)) >= 2
    assert all(phrase.count("{}") == 1 for phrase in relation.phrases)
