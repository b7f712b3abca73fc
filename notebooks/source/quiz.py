"""Quizzes: notebooks/source/quizzes/<chapter>.yaml becomes a section that needs no kernel, script or package.

Each option is a <details>: a reader opens it, with the mouse or with Enter, and finds the reply inside. The options
of a question share a `name`, so that where the browser knows it (and the page lets it pass) one is open at a time.
"""

import yaml
from markdown_it import MarkdownIt

QUESTIONS = 6
KEYS = {"text", "reply", "right"}
VERDICTS = {True: "Right.", False: "Not quite."}
_MARKDOWN = MarkdownIt("commonmark", {"html": False})

HEADING = """\
## Quiz

{count} questions on this chapter. Open the answer that you would give: every answer has a reply. Nothing is counted."""


def section(path):
    """Return the markdown of the quiz in a YAML file (a list of questions; see `read`)."""
    questions = read(path)
    parts = [HEADING.format(count=["No", "One", "Two", "Three", "Four", "Five", "Six"][len(questions)])]
    for number, question in enumerate(questions, start=1):
        options = "\n".join(_option(option, f"{path.stem}-{number}") for option in question["options"])
        parts.append(f"**Question {number}.** {question['question'].strip()}\n\n{options}\n<br>")
    return "\n\n".join(parts)


def _option(option, name):
    verdict = VERDICTS[option.get("right", False)]
    reply = _MARKDOWN.renderInline(option["reply"].strip())
    summary = _MARKDOWN.renderInline(option["text"].strip())
    reply = " ".join(reply.split())  # a blank line would end the HTML
    return f'<details name="{name}"><summary>{" ".join(summary.split())}</summary><p>{verdict} {reply}</p></details>'


def read(path):
    """Return the questions of a quiz: [{question, options: [{text, reply, right}]}].

    `right` may be left out where it is false. Replies begin without a verdict: "Right." or "Not quite." is added.
    Raises ValueError that names the file and the question if anything is missing, empty or too much.
    """
    if not path.is_file():
        raise ValueError(f"The chapter asks for a quiz, but there is no quizzes/{path.name}.")
    try:
        questions = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(questions, list) or len(questions) != QUESTIONS:
        count = len(questions) if isinstance(questions, list) else type(questions).__name__
        raise ValueError(f"{path.name} must be a list of {QUESTIONS} questions; got {count}.")
    for number, question in enumerate(questions, start=1):
        problem = _problem(question)
        if problem:
            raise ValueError(f"{path.name}, question {number}: {problem}")
    return questions


def _problem(question):
    """Return what is wrong with a question, or None."""
    if not isinstance(question, dict) or set(question) != {"question", "options"}:
        return "expected the keys question and options, and no others."
    if not _is_text(question["question"]):
        return f"the question must be a text; got {question['question']!r}."
    options = question["options"]
    if not isinstance(options, list) or not 2 <= len(options) <= 6:
        return "expected a list of two to six options."
    for place, option in enumerate(options, start=1):
        problem = _problem_of_option(option)
        if problem:
            return f"option {place}: {problem}"
    rights = sum(option.get("right", False) for option in options)
    if rights != 1:
        return f"exactly one option must have `right: true`; {rights} have."
    if len({option["text"] for option in options}) < len(options):
        return "two options have the same text."
    return None


def _problem_of_option(option):
    if not isinstance(option, dict) or not {"text", "reply"} <= set(option) <= KEYS:
        return "expected the keys text, reply and (where it is so) right."
    for key in ("text", "reply"):
        if not _is_text(option[key]):
            return f"its {key} must be a text; got {option[key]!r}. Put it in quotes."
    if not isinstance(option.get("right", False), bool):
        return f"right must be true or false; got {option['right']!r}."
    if option["reply"].strip().startswith(tuple(VERDICTS.values())):
        return "leave `Right.` and `Not quite.` away: they are added."
    return None


def _is_text(value):
    return isinstance(value, str) and bool(value.strip())
