"""The families of reasoning-gym whose problems are graded: their scorers were read, one by one.

A scorer is on the list where it evaluates neither the model's text nor the problem's data as a program or a formula,
gives its full mark to right answers alone, and knows the problem's own answer again after the problem was written as
JSON. The list is of one release: another may have other scorers, and is refused until they have been read.
"""

import difflib

CHECKED_RELEASE = "0.1.25"
_EVALUATES = "its scorer evaluates text as a program or a formula"
_LENIENT = "its scorer gives full marks to some wrong answers"
_NO_GOLD = "its problems have no answer of their own to check the scorer with"
_NO_JSON = "its problems don't survive being written as JSON"

VETTED = frozenset(
    (
        *("ab", "acre", "advanced_geometry", "aiw", "arc_1d", "base_conversion", "basic_arithmetic", "bf"),
        *("binary_alternation", "caesar_cipher", "calendar_arithmetic", "chain_sum", "circuit_logic"),
        *("color_cube_rotation", "count_bits", "count_primes", "course_schedule", "cryptarithm"),
        *("decimal_chain_sum", "dice", "emoji_mystery", "family_relationships", "fraction_simplification", "futoshiki"),
        *("gcd", "group_anagrams", "isomorphic_strings", "jugs", "kakurasu", "knight_swap", "knights_knaves"),
        *("largest_island", "lcm", "leg_counting", "letter_counting", "list_functions", "mahjong_puzzle"),
        *("manipulate_matrix", "maze", "mini_sudoku", "modulo_grid", "needle_haystack", "number_filtering"),
        *("number_format", "number_sequence", "palindrome_generation", "palindrome_partitioning", "path_star"),
        *("pool_matrix", "power_function", "prime_factorization", "products", "quantum_lock", "ransom_note"),
        *("rectangle_count", "rotate_matrix", "rotten_oranges", "self_reference", "sentence_reordering"),
        *("shortest_path", "simple_equations", "simple_geometry", "sokoban", "spell_backward", "string_manipulation"),
        *("string_splitting", "string_synthesis", "sudoku", "survo", "syllogism", "time_intervals", "tower_of_hanoi"),
        *("tsumego", "word_ladder", "word_sequence_reversal", "zebra_puzzles"),
    )
)
REFUSED = {
    **dict.fromkeys(("binary_matrix", "n_queens", "spiral_matrix", "string_insertion", "number_sorting"), _EVALUATES),
    **dict.fromkeys(("bitwise_arithmetic", "countdown", "puzzle24", "propositional_logic"), _EVALUATES),
    **dict.fromkeys(("intermediate_integration", "simple_integration", "polynomial_multiplication"), _EVALUATES),
    "complex_arithmetic": f"{_LENIENT} (nan)",
    "coin_flip": f"{_LENIENT} (the first digits)",
    "codeio": f"{_LENIENT} (an empty object under a key that ends like the answer)",
    "decimal_arithmetic": f"{_LENIENT} (off in the third of five decimals)",
    "figlet_font": f"{_LENIENT} (ten right letters)",
    "game_of_life": f"{_LENIENT} (more cells than there are)",
    "game_of_life_halting": f"{_LENIENT} (any text)",
    "letter_jumble": f"{_LENIENT} (more words than there are)",
    "polynomial_equations": f"{_LENIENT} (any text where there is no solution)",
    "word_sorting": f"{_LENIENT} (more words than there are)",
    **dict.fromkeys(("boxnet", "graph_color", "rubiks_cube", "rush_hour"), _NO_GOLD),
    **dict.fromkeys(("arc_agi", "rearc", "gsm_symbolic"), _NO_JSON),
    "composite": "it is made of other families; name those",
}


def refusal(family: str) -> str | None:
    """Why problems of a family are not graded, or None where they are."""
    if family in VETTED:
        return None
    if family in REFUSED:
        return f"family {family!r} of reasoning-gym is not graded: {REFUSED[family]}"
    near = difflib.get_close_matches(family, [*VETTED, *REFUSED], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"reasoning-gym {CHECKED_RELEASE} has no family {family[:40]!r}{hint}"
