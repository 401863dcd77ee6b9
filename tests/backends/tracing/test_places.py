"""Which line, and which statement, of a program an operation stands in."""

from __future__ import annotations

import linecache

from gradparity.backends.tracing.places import current_place

PROGRAM = """
def places(here):
    found = [
        here(),
        here(
        ),
    ]
    for one in (here(),
                here()):
        found.append(one); found.append(here())
    return found
"""


def places_of(program, name):
    linecache.cache[name] = (len(program), None, program.splitlines(keepends=True), name)
    namespace = {}
    exec(compile(program, name, "exec"), namespace)
    return namespace["places"](lambda: current_place().called_from)


def test_a_statement_on_several_lines_is_one():
    found = places_of(PROGRAM, "/somewhere/several.py")
    assert [one.line for one in found] == [4, 5, 8, 10, 9, 10]
    assert [one.statement for one in found] == [3, 3, 8, 10, 8, 10]


def test_where_the_source_is_not_there_a_line_is_a_statement():
    found = places_of(f"\n{PROGRAM}", "/somewhere/gone.py")  # equal code would be the same place
    linecache.cache.pop("/somewhere/gone.py")
    assert all(one.statement == one.line for one in found)
