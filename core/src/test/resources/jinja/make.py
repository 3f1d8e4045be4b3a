"""Renders language.txt and templates/ by Jinja itself, set as the Hugging Face library sets it.

python3 make.py writes expected.json; made with Jinja 3.1.6.
"""

import json
import pathlib

import jinja2
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def refuse(message):
    raise jinja2.exceptions.TemplateError(message)


environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
)
environment.filters["tojson"] = lambda x, ensure_ascii=False, indent=None: json.dumps(
    x, ensure_ascii=ensure_ascii, indent=indent
)
environment.globals["raise_exception"] = refuse


def message(role, content):
    return {"role": role, "content": content}


SYSTEM = message("system", " Be brief.\n")
USER = message("user", " Hi <|im_end|> ")
ANSWER = message("assistant", "Hello!\nYou.")
THOUGHT = message("assistant", "<think>\nWell.\n</think>\n\nBecause \u00e9.")
WHY = message("user", "Why?")
CONVERSATIONS = [
    [USER],
    [SYSTEM, USER],
    [USER, ANSWER],
    [SYSTEM, USER, ANSWER, WHY],
    [USER, THOUGHT, WHY, THOUGHT],
    [SYSTEM, USER, ANSWER, WHY, ANSWER],
    [USER, WHY],
    [USER, ANSWER, message("tool", "42"), message("tool", "43"), ANSWER],
    [message("narrator", "Once."), USER],
]
VARIABLES = {
    "messages": [SYSTEM, USER, ANSWER, WHY],
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "n": 3,
    "x": 2.5,
    "name": "ada LOVELACE",
    "empty": "",
    "nothing": None,
    "tools": [{"name": "f", "args": {"a": 1, "b": [True, None, 1.5]}, "\u00e9": 'u"\\\n\t'}],
}


def rendered(template, variables):
    try:
        return {"text": environment.from_string(template).render(**variables)}
    except jinja2.exceptions.TemplateError as error:
        return {"refused": str(error)}


def main():
    cases = []
    for part in (HERE / "language.txt").read_text().rstrip("\n").split("\n===\n"):
        cases.append({"template": part, "variables": VARIABLES, **rendered(part, VARIABLES)})
    for file in sorted((HERE / "templates").glob("*.jinja")):
        for conversation in CONVERSATIONS:
            for asks in (False, True):
                variables = {
                    "messages": conversation,
                    "tools": None,
                    "add_generation_prompt": asks,
                    "bos_token": "<s>",
                    "eos_token": "</s>",
                }
                cases.append(
                    {
                        "file": file.name,
                        "variables": variables,
                        **rendered(file.read_text(), variables),
                    }
                )
    (HERE / "expected.json").write_text(json.dumps({"cases": cases}, indent=1) + "\n")


main()
