from gateway.policy.problem import PolicyError, Problem, printable, quoted


def test_words_are_quoted_on_one_line_and_cut() -> None:
    assert quoted("hourly") == "`hourly`"
    assert quoted("a\nb\x1b") == "`a\\nb\\x1b`"
    assert quoted("x" * 200) == f"`{'x' * 80}…`"


def test_printable_words_stay() -> None:
    assert printable("größe 😀") == "größe 😀"


def test_a_problem_is_two_lines_and_the_root_has_no_name() -> None:
    assert Problem("/a", 1, 2, "wrong", "mend it").report("p") == "p:1:2: /a: wrong\n    hint: mend it"
    assert Problem("", 1, 2, "wrong", "mend it").report("p") == "p:1:2: wrong\n    hint: mend it"


def test_the_error_says_all_its_problems() -> None:
    error = PolicyError("p", (Problem("/a", 1, 2, "x", "h"), Problem("/b", 3, 4, "y", "i")))
    assert str(error) == "p:1:2: /a: x\n    hint: h\np:3:4: /b: y\n    hint: i"
    assert error.exit_code == 3
