"""Exercises answer in the notebook; an unanswered one says so and stops nothing."""

import numbers


def check(question, answer, expected, tolerance=0.0, explain=""):
    """Print whether `answer` is right; never raise, so that "Run All" goes on.

    answer : what the reader wrote; `...` (or a function that returns it or None) is unanswered
    expected : the right answer; numbers may differ by `tolerance`
    explain : a sentence that is printed with a right answer
    """
    if answer is None or answer is Ellipsis:
        print(f"{question}: not answered yet. Replace the ... above and run both cells again.")
        return
    if _agree(answer, expected, tolerance):
        print(f"{question}: right. {explain}".rstrip())
    else:
        print(f"{question}: not quite, {answer!r} is not it. The hint above may help.")


def _agree(answer, expected, tolerance):
    both = (answer, expected)
    if all(isinstance(value, numbers.Number) for value in both):
        return bool(abs(answer - expected) <= tolerance)
    if all(isinstance(value, str) for value in both):
        return answer.strip().lower() == expected.strip().lower()
    return bool(answer == expected)
