"""Programs are found in texts, run by their problem's tests, and judged by what they return."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ratchet.errors import InputError
from ratchet.grade.code import extract_program, grade_programs
from ratchet.grade.sandbox import names, pool
from ratchet.grade.sandbox.limits import Limits
from ratchet.grade.sandbox.pool import levels_here
from ratchet.records import Grade, Problem

pytestmark = pytest.mark.skipif(
    levels_here()["namespaces"] is not None and levels_here()["landlock"] is not None,
    reason=f"needs a host that isolates programs: {levels_here()}",
)
LIMITS = Limits(cpu_s=2, idle_s=1.0)
PROMPT = 'import math\n\n\ndef double(x):\n    return 2 * x\n\n\ndef area(r):\n    """Of a circle of diameter r."""\n'


def problem(tests: str | None, entry_point: str | None = None, prompt: str = "Write it.") -> Problem:
    return Problem("1", prompt, "", kind="code", tests=tests, entry_point=entry_point)


def graded(items: Iterable[tuple[Problem, str]], workers: int = 1, **options: Any) -> list[Grade]:
    return list(grade_programs(items, workers, **{"limits": LIMITS, **options}))


def outcome(text: str, tests: str | None, entry_point: str | None = None, prompt: str = "Write it.") -> str:
    grade = graded([(problem(tests, entry_point, prompt), text)])[0]
    return grade.outcome


# Each of these problems has a right program and two wrong ones: one that returns nothing, one that is off by one.
MBPP = [
    ("assert count(['a', 'b', 'a']) == {'a': 2, 'b': 1}", "from collections import Counter\ncount = Counter\n"),
    ("assert sum(10, 15) == 25", "def sum(a, b):\n    return a + b\n"),
    ("assert set(pair(3)) == {3, 4}\nassert type(pair(0)) is tuple", "def pair(n):\n    return n, n + 1\n"),
    ("assert abs(half(3) - 1.5) < 1e-9", "def half(n):\n    return n / 2\n"),
    (
        "root = Node(1)\nroot.left = Node(2)\nroot.left.left = Node(3)\nassert depth(root) == 3",
        "class Node:\n    def __init__(self, v):\n        self.left = None\n\n"
        "def depth(n):\n    return 0 if n is None else 1 + depth(n.left)\n",
    ),
    (
        "assert longest([Pair(5, 24), Pair(1, 90)]) == 89",
        "class Pair:\n    def __init__(self, a, b):\n        self.d = b - a\n\n"
        "def longest(ps):\n    return max(p.d for p in ps)\n",
    ),
    ("assert keep([1, 'a'], int) == [1]", "def keep(xs, kind):\n    return [x for x in xs if isinstance(x, kind)]\n"),
    ("assert size(('A', 1)) == sys.getsizeof(('A', 1))", "import sys\ndef size(t):\n    return sys.getsizeof(t)\n"),
]


def test_programs_in_the_style_of_mbpp_score_correct() -> None:
    grades = graded((problem(tests), program) for tests, program in MBPP)
    assert [(grade.outcome, grade.reason) for grade in grades] == [("correct", None)] * len(MBPP)


def test_programs_that_return_nothing_score_incorrect() -> None:
    mutants = [program.replace("return ", "return None and ").replace("= Counter", "= print") for _, program in MBPP]
    grades = graded((problem(tests), mutant) for (tests, _), mutant in zip(MBPP, mutants, strict=True))
    assert [grade.outcome for grade in grades] == ["incorrect"] * len(MBPP)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("    return math.pi * (r / 2) ** 2\n", "correct"),
        ("    return math.pi * r ** 2\n", "incorrect"),
        ("    return math.pi * (r / 2) ** 2\n\n\nAnd so we have the area, as (", "correct"),
        ("def area(r):\n    return math.pi * double(r / 4) ** 2\n", "correct"),
        ("Sure:\n```python\ndef area(r):\n    return math.pi * r * r / 4\n```\nThat is\n```\n3.14\n```", "correct"),
        ("", "incorrect"),
        ("I can't.", "incorrect"),
    ],
)
def test_a_text_goes_on_from_its_prompt_or_defines_the_function_itself(text: str, expected: str) -> None:
    check = "def check(candidate):\n    assert math.isclose(candidate(2), math.pi)\n"
    assert outcome(text, check, "area", PROMPT) == expected


def test_what_the_prompt_defines_is_the_prompts_in_the_tests_too() -> None:
    # The program's own `double` would make the test pass.
    check = "def check(candidate):\n    assert double(candidate(1)) == 6\n"
    assert outcome("def double(x):\n    return 6\n\ndef area(r):\n    return 0\n", check, "area", PROMPT) == "incorrect"
    assert outcome("def double(x):\n    return 0\n\ndef area(r):\n    return 3\n", check, "area", PROMPT) == "correct"


def test_a_program_that_reads_and_writes_is_judged_by_its_output() -> None:
    cases = json.dumps([{"input": "1 2\n", "output": "3\n"}, {"input": "4 5", "output": "9"}])
    texts = [
        "print(sum(map(int, input().split())))",
        "print(3)",
        "print(3); raise SystemExit(1)",
        "while True: print(1)",
    ]
    texts += [
        "import sys\nprint(sum(map(int, sys.stdin.read().split())), ' ')\nprint()\nsys.exit()",
        "import time; time.sleep(99)",
    ]
    grades = graded((problem(cases), text) for text in texts)
    assert [g.outcome for g in grades] == ["correct", "incorrect", "incorrect", "incorrect", "correct", "incorrect"]
    assert grades[1].reason == "test 2 of 2: another output"
    assert grades[2].reason == "the program ended with exit code 1"


def test_a_program_that_dribbles_its_output_is_idle_all_the_same() -> None:
    dribble = "import time\nwhile True:\n    print(1, flush=True)\n    time.sleep(0.03)\n"
    cases = json.dumps([{"input": "", "output": "1"}])
    assert graded([(problem(cases), dribble)])[0].reason == "the program slept or waited for more than 1 s"


def test_many_short_sleeps_are_idle_all_the_same() -> None:
    tests = "for _ in range(1000):\n    assert f() == 1"
    assert outcome("import time\ndef f():\n    time.sleep(0.03)\n    return 1\n", tests) == "incorrect"


@pytest.mark.parametrize("tests", [None, "", "[]", "x = 1", "assert (", "raise ValueError", "assert f(lambda: 1) == 2"])
def test_tests_that_can_decide_nothing_are_ungradable(tests: str | None) -> None:
    assert outcome("def f(x):\n    return 2\n", tests) == "ungradable"


def test_the_tests_see_the_exceptions_that_a_program_raises() -> None:
    tests = "try:\n    f(-1)\nexcept ValueError:\n    caught = True\nassert caught"
    assert outcome("def f(x):\n    raise ValueError(x)\n", tests) == "correct"
    assert outcome("def f(x):\n    raise KeyError(x)\n", tests) == "incorrect"


def test_tests_that_catch_everything_do_not_hide_a_doomed_program() -> None:
    tests = "try:\n    assert f(1) == 1\nexcept BaseException:\n    pass"
    assert outcome("class A: pass\ndef f(x):\n    return A()\n", tests) == "incorrect"


@pytest.mark.parametrize("last", ["os._exit(0)", "time.sleep(99)", "os.write(3, b'x' * 99)", "os.close(3)"])
def test_tests_that_catch_everything_do_not_hide_a_program_that_is_gone(last: str) -> None:
    tests = "try:\n    assert f(1) == 1\nexcept BaseException:\n    pass"
    assert outcome(f"import os, time\ndef f(x):\n    {last}\n", tests) == "incorrect"


def test_changes_of_an_argument_stay_with_the_program() -> None:
    tests = "xs = [3, 1]\nassert f(xs) == sorted(xs)"
    assert outcome("def f(xs):\n    xs.clear()\n    return []\n", tests) == "incorrect"


def test_a_program_may_use_threads_and_its_time_is_that_of_all_of_them() -> None:
    threaded = "import threading\ndef f(x):\n    out = []\n"
    threaded += "    t = threading.Thread(target=lambda: out.append(x))\n    t.start()\n"
    assert outcome(threaded + "    t.join()\n    return out[0]\n", "assert f(3) == 3") == "correct"
    endless = threaded.replace("out.append(x)", "sum(iter(int, 1))") + "    t.join()\n"
    assert graded([(problem("assert f(3) == 3"), endless)])[0].reason == "the program used up its CPU time (2 s)"


def test_grades_come_in_the_order_of_the_programs() -> None:
    def items() -> Iterable[tuple[Problem, str]]:
        for number in range(40):
            pause = "import time\ntime.sleep(0.2)\n" if number % 10 == 0 else ""
            yield (
                Problem(str(number), "", "", kind="code", tests=f"assert f() == {number // 2 * 2}"),
                f"{pause}f = lambda: {number}",
            )

    grades = graded(items(), workers=2)
    assert [grade.problem_id for grade in grades] == [str(number) for number in range(40)]
    assert [grade.outcome for grade in grades] == ["correct", "incorrect"] * 20


def test_the_same_program_gets_the_same_verdict_whatever_the_order_of_its_sets() -> None:
    program = "def f():\n    return ''.join({'a', 'b', 'c', 'd', 'e'})\n"
    assert len({outcome(program, "assert f() == 'abcde'") for _ in range(3)}) == 1


def test_a_grade_says_its_isolation_and_keeps_its_program() -> None:
    grade = graded([(problem("assert f() == 1"), "```python\nf = lambda: 1\n```")])[0]
    assert (grade.answer, grade.attempt) == ("f = lambda: 1\n", 0)
    assert str(grade.isolation).split(",")[0] in levels_here()


def test_asking_for_more_isolation_than_there_is_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_lacking", lambda level: "not here" if level == "namespaces" else None)
    with pytest.raises(InputError, match="namespaces: not here"):
        grade_programs([], 1, minimum="namespaces")
    assert list(grade_programs([], 1, minimum="landlock")) == []
    with pytest.raises(InputError, match="isolation 'gvisor'"):
        grade_programs([], 1, minimum="gvisor")
    with pytest.raises(InputError, match="'landlock' or better"):
        grade_programs([], 1, minimum="landlock", level="process")


def test_a_worker_that_dies_is_an_error_and_is_replaced() -> None:
    with pool.Worker(pool.best_level(), LIMITS) as worker:
        worker.give(0, pool.Job("import time\ntime.sleep(9)", "f()"))
        worker.process.kill()
        assert worker.take()[1]["outcome"] == "error"
    assert outcome("f = lambda: 1", "assert f() == 1") == "correct"


def test_a_tester_that_is_killed_costs_one_error_and_the_worker_goes_on() -> None:
    with pool.Worker(pool.best_level(), Limits()) as worker:
        worker.give(0, pool.Job("import time\ntime.sleep(4)", "f()"))
        worker.give(1, pool.Job("f = lambda: 1", "assert f() == 1"))
        started = Path(f"/proc/{worker.process.pid}/task/{worker.process.pid}/children")
        while len(started.read_text().split()) < 2:  # the zygote, and then the tester
            time.sleep(0.01)
        os.kill(int(started.read_text().split()[1]), signal.SIGKILL)
        assert [worker.take()[1]["outcome"] for _ in range(2)] == ["error", "correct"]


@pytest.mark.skipif(levels_here()["namespaces"] is not None, reason="needs a host that gives the level namespaces")
def test_no_program_finds_a_file_of_one_before_though_children_wait_beside_it() -> None:
    # Some write, some only look: by then up to sixteen children wait in the folder that the next program writes to.
    look = "import os\ndef f():\n    return len(os.listdir('.'))\n"
    write = look.replace("return", "open('x', 'w').close()\n    return -1 +")
    programs = [write if number % 5 == 4 else look for number in range(40)]
    grades = graded([(problem("assert f() == 0"), program) for program in programs], level="namespaces")
    assert [grade.outcome for grade in grades] == ["correct"] * 40


def test_the_backstop_of_the_clock_gives_an_error() -> None:
    limits = Limits(cpu_s=9, idle_s=9.0, wall_s=0.5)
    assert graded([(problem("f()"), "while True: pass")], limits=limits)[0].outcome == "error"


def test_jobs_that_wait_for_a_worker_that_dies_go_to_the_next() -> None:
    first = pool.Job("import time\ntime.sleep(4)", "f()")
    honest = pool.Job("f = lambda: 1", "assert f() == 1")
    level = pool.best_level()
    before = children()
    killing = threading.Timer(1.5, lambda: os.kill((children() - before).pop(), signal.SIGKILL))
    killing.start()
    found = pool.verdicts([first, honest, honest], level, 1, Limits())
    assert [verdict["outcome"] for verdict in found] == ["error", "correct", "correct"]


def children() -> set[int]:
    return {int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


# Each of these tests would find what the program before it returned, if its traces were there: 2, and then 1.
@pytest.mark.parametrize(
    "tests",
    [
        "seen = []\nseen.append(f())\nassert seen == [1]",
        "def check(seen=[]):\n    seen.append(f())\n    return seen\nassert check() == [1]",
        "import sys\nsys.seen = getattr(sys, 'seen', None) or f()\nassert sys.seen == 1",
        "import math\nmath.seen = getattr(math, 'seen', None) or f()\nassert math.seen == 1",
        "import decimal\ndecimal.getcontext().prec += f()\nassert decimal.getcontext().prec == 29",
    ],
)
def test_what_tests_keep_of_one_program_the_next_does_not_meet(tests: str) -> None:
    items = [(problem(tests), f"f = lambda: {said}") for said in (2, 1, 2, 1)]
    assert [grade.outcome for grade in graded(items)] == ["incorrect", "correct"] * 2


@pytest.mark.parametrize(
    ("tests", "prompt", "nothing"),
    [
        ("import math, random\nassert f(random.random()) == math.pi", "", True),
        ("root = Node(1)\nroot.left = Node(2)\nassert f(root)", "", True),
        ("math.seen = f()", "", False),
        ("import random\nrandom.seed = f()", "", False),
        ("from os import path\nassert f()", "", False),
        ("setattr(f(), 'x', 1)", "", False),
        ("assert helper(f()) == sys.getsizeof(1)", "def helper(x):\n    return x\n", False),
        ("assert helper(f())", "def helper(x):\n    return x\n", True),
        ("assert helper(f())", "import os\ndef helper(x):\n    return x\n", False),
        ("assert f()", "import os\ndef helper(x):\n    return x\n", True),  # the prompt isn't run
    ],
)
def test_a_tester_is_kept_where_its_tests_can_leave_nothing(tests: str, prompt: str, nothing: bool) -> None:
    assert names.read(tests, prompt, None).leave_nothing is nothing


def test_programs_draw_the_same_random_numbers_in_every_run() -> None:
    tests = f"assert f() == {Random(0).random()!r}"
    program = "import random\nf = random.random"
    assert [grade.outcome for grade in graded([(problem(tests), program)] * 3)] == ["correct"] * 3


def test_tests_that_a_value_costs_too_much_are_ended_and_the_next_program_is_graded() -> None:
    tests = "import time\nend = time.process_time() + f()\nwhile time.process_time() < end:\n    pass"
    items = [(problem(tests), "f = lambda: 99"), (problem(tests), "f = lambda: 0")]
    grades = graded(items, limits=Limits(cpu_s=1))
    assert [(g.outcome, g.reason) for g in grades] == [
        ("incorrect", "the tests used up their time on what the program returned"),
        ("correct", None),
    ]


@pytest.mark.parametrize(
    ("text", "entry_point", "program"),
    [
        ("x = 1", None, "x = 1"),
        ("```\na\n```\nor\n```python\nb\n```", None, "a\n"),
        ("```\na\n```\nor\n```python\nf = 2\n```\n```\nc\n```", "f", "f = 2\n"),
        ("```python\ndef f(): pass\n", "f", "def f(): pass\n"),
    ],
)
def test_the_program_is_the_block_that_defines_the_function(text: str, entry_point: str | None, program: str) -> None:
    assert extract_program(text, entry_point) == program
