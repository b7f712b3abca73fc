"""A quiz file becomes folded answers, or an error that names the file and the question."""

import html.parser

import pytest
import yaml

from notebooks.source import quiz


def questions(count=quiz.QUESTIONS, **changed):
    """A whole quiz; `changed` replaces keys of the second question."""
    options = [
        {"text": "The `head`", "reply": "It is *new*.", "right": True},
        {"text": "1 < 2 & so on", "reply": "That is the\n\nbase."},
    ]
    made = [{"question": f"Which part learns, {number}?", "options": options} for number in range(count)]
    made[1] |= changed
    return made


def written(folder, content):
    path = folder / "03_heads.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_every_option_is_folded_and_has_its_reply(tmp_path):
    text = quiz.section(written(tmp_path, questions()))
    assert text.startswith("## Quiz\n\nSix questions")
    assert text.count("<details") == text.count("</details>") == 12
    assert "<summary>The <code>head</code></summary><p>Right. It is <em>new</em>.</p></details>" in text
    assert "<summary>1 &lt; 2 &amp; so on</summary><p>Not quite. That is the base.</p></details>" in text


def test_one_question_shares_a_name_and_no_two_do(tmp_path):
    names = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            names.extend(value for key, value in attributes if tag == "details" and key == "name")

    Reader().feed(quiz.section(written(tmp_path, questions())))
    assert names == [f"03_heads-{number}" for number in (1, 2, 3, 4, 5, 6) for _ in range(2)]


RIGHT = {"text": "yes", "reply": "So it is.", "right": True}
WRONG = {"text": "no", "reply": "Look again."}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"options": [WRONG, WRONG | {"text": "never"}]}, "exactly one option must have `right: true`; 0 have"),
        ({"options": [RIGHT, RIGHT | {"text": "ja"}]}, "exactly one .* 2 have"),
        ({"options": [RIGHT]}, "two to six options"),
        ({"options": [RIGHT, RIGHT | {"right": False}]}, "same text"),
        (
            {"options": [RIGHT, WRONG | {"text": False}]},
            "option 2: its text must be a text; got False. Put it",
        ),
        ({"options": [RIGHT, WRONG | {"reply": " "}]}, "option 2: its reply must be a text"),
        ({"options": [RIGHT, WRONG | {"right": "no"}]}, "option 2: right must be true or false"),
        ({"options": [RIGHT, {"text": "no"}]}, "option 2: expected the keys"),
        ({"options": [RIGHT | {"reply": "Right. So it is."}, WRONG]}, "option 1: leave `Right.`"),
        ({"question": ""}, "the question must be a text"),
        ({"hint": "none"}, "the keys question and options, and no others"),
    ],
)
def test_a_mistake_is_named_with_file_and_question(tmp_path, changed, message):
    with pytest.raises(ValueError, match=rf"03_heads\.yaml, question 2: .*{message}"):
        quiz.read(written(tmp_path, questions(**changed)))


@pytest.mark.parametrize("content", [questions(5), {"question": "One?"}, None])
def test_six_questions_are_wanted(tmp_path, content):
    with pytest.raises(ValueError, match=r"03_heads\.yaml must be a list of 6 questions"):
        quiz.read(written(tmp_path, content))


def test_a_file_that_is_not_there_or_not_yaml_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no quizzes/03_heads\.yaml"):
        quiz.read(tmp_path / "03_heads.yaml")
    (tmp_path / "03_heads.yaml").write_text("- question: [")
    with pytest.raises(ValueError, match=r"03_heads\.yaml is not YAML"):
        quiz.read(tmp_path / "03_heads.yaml")
