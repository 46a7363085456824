"""Demo names and passwords for exercises: of accounts that exist nowhere, drawn for each learner.

Note for maintainers: a word here must not occur in any sentence of an exercise, or a feedback could show an answer by
accident; a test holds that.

Rule 1: only words of this list, alone or with a number, are passwords of exercises; none of them opens anything.
"""

from __future__ import annotations

import random
from typing import Final

NAMES: Final = (
    "ada", "alma", "anton", "bela", "boris", "clara", "conrad", "dora", "edgar", "elsa", "emil", "enno", "flora",
    "greta", "gustav", "hanna", "hedda", "hugo", "ida", "igor", "inga", "jana", "jonas", "karla", "klaus", "lena",
    "linus", "luisa", "magda", "marek", "mila", "nadia", "nils", "olga", "oskar", "paula", "petra", "quentin", "rosa",
    "ruben", "selma", "simon", "tilda", "ulla", "viktor", "wanda", "xenia", "yusuf", "zelda",
)  # fmt: skip
"""Local parts of the users of exercises; none of them is a user of the lab."""

PASSWORDS: Final = (
    "acacia", "agate", "alder", "almond", "amber", "anise", "apatite", "apricot", "arnica", "aspen", "azalea", "balsam",
    "bamboo", "basalt", "beryl", "bilberry", "borage", "bramble", "bryony", "burdock", "calcite", "camellia", "caraway",
    "cassia", "cedar", "celandine", "chamomile", "chervil", "chicory", "cinnabar", "citrine", "clematis", "clover",
    "comfrey", "coriander", "cornflower", "crocus", "cypress", "dahlia", "damson", "dogwood", "dolomite", "elderberry",
    "emerald", "feldspar", "fennel", "fluorite", "foxglove", "freesia", "fuchsia", "galangal", "garnet", "gentian",
    "geranium", "ginger", "gneiss", "gooseberry", "granite", "gypsum", "hawthorn", "hazelnut", "heather", "hematite",
    "hibiscus", "hollyhock", "hornbeam", "hyacinth", "hyssop", "jasmine", "jasper", "juniper", "kumquat", "laburnum",
    "larkspur", "lavender", "lichen", "lilac", "linden", "lovage", "lupin", "magnolia", "malachite", "mallow",
    "marigold", "marjoram", "medlar", "mimosa", "mistletoe", "mulberry", "myrtle", "nasturtium", "nettle", "nutmeg",
    "obsidian", "oleander", "olivine", "oregano", "papaya", "parsley", "peony", "peridot", "pimento", "pistachio",
    "primrose", "pumice", "purslane", "pyrite", "quartz", "quince", "rhubarb", "rosemary", "rowan", "saffron",
    "samphire", "sapphire", "sassafras", "sorrel", "spinel", "sycamore", "tamarind", "tansy", "tarragon", "thistle",
    "topaz", "tourmaline", "turmeric", "valerian", "verbena", "viburnum", "wisteria", "yarrow", "zinnia",
)  # fmt: skip
"""The word list: plants and stones."""


def draw_user(rng: random.Random) -> str:
    """Return an address of example.com."""
    return f"{rng.choice(NAMES)}{rng.randrange(10, 100)}@example.com"


def draw_password(rng: random.Random) -> str:
    """Return a password that stands in no list: a word and a number."""
    return f"{rng.choice(PASSWORDS)}-{rng.randrange(10, 100)}"
