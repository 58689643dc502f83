"""Who asks, and why: the user message around a question, as people write to an assistant that has tools.

Nothing here says anything about the facts; ``sound`` draws a question anew if a word of its setting holds an answer.
"""

from __future__ import annotations

from random import Random

from ftrl.synthesis.tables.wording import INSTRUCTION

_INSTRUCTIONS = (
    INSTRUCTION,
    "Use the tools to answer.",
    "Answer with the help of the tools that you have.",
    "The tools know what is asked for: call them.",
    "Look everything up with the tools, and answer nothing from memory.",
    "Every fact in your answer has to come from one of the tools that are described above.",
    "You can call the tools as often as you need to, one after the other or several together.",
)
_ON_FAILURE = (
    "If a call fails, read what it says, put it right and try again.",
    "Should a tool refuse a call, mend the call and go on until you have the answer.",
    "A call that returns an error was made wrongly: look at the tool's description once more.",
    "Do not guess if a tool has no answer; ask another one.",
    "Some of the tools will be of no use here, so choose with care.",
)
_WHO = (
    "I look after the records of a small archive.",
    "I edit an almanac that comes out every spring.",
    "We are a group of volunteers who keep a public register up to date.",
    "I answer letters from readers at a regional newspaper.",
    "I am new at the help desk, and still learn where everything is kept.",
    "My team looks after the master data of our organisation.",
    "I write the questions for a quiz night.",
    "I prepare briefings for people who have no time to look things up.",
    "I am a student, and this belongs to an exercise on working with records.",
    "I am putting together a handbook for newcomers.",
    "A friend and I collect curious facts, and check each of them twice.",
    "I proofread other people's reports before they are printed.",
    "Our office is moving everything from paper into one catalogue.",
    "I am planning a talk and want to have my facts straight.",
)
_WHY = (
    "A reader has sent us this question, and she would like to hear from us before the weekend.",
    "Two colleagues of mine disagree about this, and I promised to settle it.",
    "I am filling the last gaps in a table, and this is the one that I could not find anywhere.",
    "I need this for a report that is due today, so please look at the records and not at old notes.",
    "Somebody rang the help desk and asked this, and I have to ring back in a few minutes.",
    "The entry that we have looks wrong to me, and before I change it I want to see what is on record.",
    "It will be printed, so it has to be what the records say, word for word.",
    "Last time I relied on my memory for this sort of thing, and I had to apologise afterwards.",
    "There was a draft with this in it, but nobody can tell any more where the figures came from.",
    "I have tried to work it out from what lies on my desk, and I only got more confused.",
    "It is one of several things on my list for this afternoon, and the only one that needs the tools.",
    "We were asked for it in a meeting, and none of us could say.",
    "It sounds like a detail, but a decision hangs on it.",
    "I would rather ask once too often than pass on something that is not true.",
)
_LEADS = ("So:", "Here is the question:", "What I would like to ask is this:", "This is it:")
_ENDINGS = (
    "Thank you!",
    "Please be exact.",
    "A short answer will do.",
    "I need the answer and nothing else.",
    "That is all for now.",
    "Names and figures exactly as they are on record, please.",
    "One line is enough; I will write the sentence around it myself.",
    "Please leave out how you found it, and only tell me what it is.",
    "If several steps are needed, take them all before you answer.",
    "Many thanks in advance, this saves me a trip to the reading room.",
)


def in_context(question: str, rng: Random) -> str:
    """The user message: mostly who asks and why, the question, how to answer it, and what the tools are for."""
    parts = [rng.choice(texts) for texts in (_WHO, _WHY) if rng.random() < 0.8]
    if parts and rng.random() < 0.2:
        parts.append(rng.choice(_LEADS))
    parts.append(question)
    if rng.random() < 0.6:
        parts.append(rng.choice(_ENDINGS))
    instruction = rng.choice(_INSTRUCTIONS)
    if rng.random() < 0.6:
        instruction = f"{instruction} {rng.choice(_ON_FAILURE)}"
    text = " ".join(parts)
    return f"{instruction}\n{text}" if rng.random() < 0.7 else f"{text}\n{instruction}"
